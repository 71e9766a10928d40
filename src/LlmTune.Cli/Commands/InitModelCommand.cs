using System.CommandLine;
using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Recipes;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune init-model</c>: random weights of a shape.</summary>
internal static class InitModelCommand
{
    private const string DefaultShard = "5GB";

    public static Command Create()
    {
        var shape = new Argument<string>("shape|config.json") { Description = $"{string.Join(", ", NamedShapes.All.Keys)}, or a config.json" };
        var output = new Option<string>("--output", "-o") { Description = "model folder to write", HelpName = "folder", Required = true };
        var layers = new Option<int?>("--layers") { Description = "another number of layers", HelpName = "n" };
        var dtype = new Option<string>("--dtype") { Description = "float32, bfloat16, float16, or auto: as the shape says", HelpName = "name", DefaultValueFactory = _ => "auto" };
        var seed = new Option<long>("--seed") { Description = "of the weights", HelpName = "n", DefaultValueFactory = _ => 42 };
        var tokenizer = new Option<string>("--tokenizer") { Description = "folder whose tokenizer is copied; the vocabulary of tiny follows it", HelpName = "folder" };
        var shard = new Option<string>("--shard-size") { Description = "largest weight file: 500MB, 5GB", HelpName = "size", DefaultValueFactory = _ => DefaultShard };
        var force = new Option<bool>("--force") { Description = "replace a folder that is there" };
        dtype.OneOf("auto", "float32", "bfloat16", "float16");
        var command = new Verb("init-model", "write a model of random weights, for pretraining and tests",
            "init-model tiny --output models/tiny --tokenizer models/tokenizer",
            "init-model llama3-8b --layers 2 --output models/two-layers",
            "init-model models/Qwen2.5-0.5B/config.json --dtype float32 --output models/fresh")
        {
            shape, output, layers, dtype, seed, tokenizer, shard, force,
        };
        command.SetAction(args => Run(new InitModelRequest
        {
            Shape = args.GetValue(shape)!,
            Output = args.GetValue(output)!,
            Layers = args.GetValue(layers) is not { } count ? null
                : count >= 1 ? count : throw new RequestException($"--layers must be at least 1, got {count}"),
            Dtype = Enum.Parse<ModelDtype>(args.GetValue(dtype)!, ignoreCase: true),
            Seed = args.GetValue(seed),
            Tokenizer = args.GetValue(tokenizer) is { } folder ? HubCache.Resolve(folder) : null,
            MaxShardBytes = Bytes(args.GetValue(shard)!),
            Force = args.GetValue(force),
        }, args.Session()));
        return command;
    }

    /// <summary>A size as Hugging Face writes it: 500MB, 5GB; powers of ten.</summary>
    internal static long Bytes(string text)
    {
        var letters = text.TrimStart("0123456789.".ToCharArray());
        var factor = letters.Trim().ToUpperInvariant() switch { "KB" => 1e3, "MB" => 1e6, "GB" => 1e9, "TB" => 1e12, _ => 0 };
        var isNumber = double.TryParse(text[..^letters.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number);
        return isNumber && number * factor is >= 1 and < 1e15
            ? (long)(number * factor)
            : throw new RequestException($"--shard-size must be a number with KB, MB, GB or TB, as 500MB, got '{text}'");
    }

    private static int Run(InitModelRequest request, Session session)
    {
        Libtorch.Load();
        ModelSpec spec;
        using (var view = new ProgressView(session))
            spec = InitModel.Run(request, session.Screen.IsLive ? (done, total) => view.Update("drawn, per cent", 100 * done / total, 100) : null);
        session.Log.Information("Wrote {Folder}: {Family}, {Parameters:N0} random parameters, {Layers} layers",
            request.Output, spec.Family, spec.Parameters, spec.Blocks.Count);
        var folder = ProgramPath.Quoted(request.Output);
        if (request.Tokenizer is null) session.Log.Information("It has no tokenizer yet: say --tokenizer FOLDER, or set model.tokenizer in run files");
        session.Log.Information("Next: llmtune init run.yaml --method pretrain --model {Folder} --data FILE", folder);
        return 0;
    }
}
