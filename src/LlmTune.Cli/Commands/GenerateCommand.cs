using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Generation;
using LlmTune.Native;
using LlmTune.Recipes;
using LlmTune.Tokenization;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune generate</c>: a model writes on, token by token on the screen.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("run|adapter|model") { Description = "what writes" };
        var prompt = new Option<string>("--prompt", "-p") { Description = "text to write on from; - reads it from standard input", HelpName = "text", Required = true };
        var chat = new Option<bool>("--chat") { Description = "the prompt is a user's turn: the model's chat template is laid around it" };
        var system = new Option<string>("--system") { Description = "a system turn before it, with --chat", HelpName = "text" };
        var most = new Option<int>("--max-new-tokens", "-n") { Description = "most new tokens", HelpName = "n", DefaultValueFactory = _ => 128 };
        var temperature = new Option<double>("--temperature", "-t") { Description = "0 takes the likeliest token; higher is freer", HelpName = "t", DefaultValueFactory = _ => 0 };
        var topK = new Option<int>("--top-k") { Description = "only the k likeliest; 0: all", HelpName = "k", DefaultValueFactory = _ => 0 };
        var topP = new Option<double>("--top-p") { Description = "only the likeliest that sum up to p", HelpName = "p", DefaultValueFactory = _ => 1 };
        var minP = new Option<double>("--min-p") { Description = "only those with this share of the likeliest one's probability", HelpName = "p", DefaultValueFactory = _ => 0 };
        var penalty = new Option<double>("--repetition-penalty") { Description = "above 1 makes what occurred less likely", HelpName = "r", DefaultValueFactory = _ => 1 };
        var stop = new Option<string[]>("--stop") { Description = "text that ends the answer; may be given several times", HelpName = "text" };
        var seed = new Option<long>("--seed") { Description = "of sampling", HelpName = "n", DefaultValueFactory = _ => 42 };
        var options = new ModelOptions();
        var variables = TemplateOption.Create();
        var command = new Verb("generate", "let a model write on from a text",
            "generate models/stories260K --prompt \"Once upon a time\"",
            "generate out/run --chat --prompt \"Who are you?\"",
            "generate out/run --prompt \"Q: …\" --temperature 0.8 --top-p 0.95 --stop \"Q:\"")
        {
            model, prompt, chat, system, most, temperature, topK, topP, minP, penalty, stop, seed, variables,
        };
        options.AddTo(command);
        command.SetAction(args =>
        {
            Require("--max-new-tokens", args.GetValue(most) >= 1, args.GetValue(most), "at least 1");
            Require("--temperature", args.GetValue(temperature) >= 0, args.GetValue(temperature), "at least 0");
            Require("--top-k", args.GetValue(topK) >= 0, args.GetValue(topK), "at least 0");
            Require("--top-p", args.GetValue(topP) is > 0 and <= 1, args.GetValue(topP), "above 0 and at most 1");
            Require("--min-p", args.GetValue(minP) is >= 0 and <= 1, args.GetValue(minP), "from 0 to 1");
            Require("--repetition-penalty", args.GetValue(penalty) > 0, args.GetValue(penalty), "above 0");
            if (args.GetValue(system) is not null && !args.GetValue(chat)) throw new RequestException("--system goes with --chat");
            if (args.GetValue(variables) is not null && !args.GetValue(chat)) throw new RequestException($"{TemplateOption.Name} goes with --chat");
            Libtorch.Load();
            var (device, type) = options.Read(args);
            var text = args.GetValue(prompt) is "-" ? Console.In.ReadToEnd() : args.GetValue(prompt)!;
            var source = options.Apply(args, ModelSource.Resolve(args.GetValue(model)!, args.GetValue(options.Base))).With(args.GetValue(variables));
            var generation = new GenerationOptions
            {
                MaxNewTokens = args.GetValue(most),
                DoSample = args.GetValue(temperature) > 0,
                Temperature = args.GetValue(temperature) is 0 ? 1 : args.GetValue(temperature),
                TopK = args.GetValue(topK),
                TopP = args.GetValue(topP),
                MinP = args.GetValue(minP),
                RepetitionPenalty = args.GetValue(penalty),
                Seed = args.GetValue(seed),
            };
            var conversation = !args.GetValue(chat) ? null : new Conversation(
                [.. args.GetValue(system) is { } first ? [new Message("system", first)] : Array.Empty<Message>(), new Message("user", text)]);
            return Run(source, text, conversation, generation, args.GetValue(stop) ?? [], device, type, args.Session());
        });
        return command;
    }

    private static int Run(
        ModelSource source, string prompt, Conversation? conversation, GenerationOptions options, string[] stops, Device device, ScalarType type, Session session)
    {
        if (conversation is null && source.IsChat)
            session.Log.Information("{Run} was trained on conversations; --chat lays its chat template around the prompt", source.Name);
        using var loaded = source.Load(device, type, session.Log);
        var ids = conversation is null
            ? loaded.Tokenizer.EncodeForModel(prompt)
            : ChatTemplate.Require(loaded.Tokenizer, loaded.Tokenizer.Folder, variables: source.Variables).ForInference(conversation, loaded.Tokenizer);
        loaded.RequireKnown(ids);
        if (ids.Length == 0) throw new RequestException("the prompt has no tokens; give some text with --prompt");
        if (ids.Length + options.MaxNewTokens > loaded.Folder.Spec.MaxPositions)
            session.Log.Warning("{Tokens} tokens of prompt and {New} new ones are more than the {Positions} positions that the model was made for",
                ids.Length, options.MaxNewTokens, loaded.Folder.Spec.MaxPositions);
        options = options with
        {
            EndTokens = loaded.EndTokens,
            Stop = StopStrings.Watch(stops, tokens => loaded.Tokenizer.Decode(tokens, skipSpecialTokens: true)),
        };
        var stream = loaded.Tokenizer.Stream(skipSpecialTokens: true);
        var output = session.Screen.Output;
        if (conversation is null)
            foreach (var id in ids) output.Write(stream.Add(id));
        output.Flush();
        var clock = Stopwatch.StartNew();
        var made = TextGenerator.Generate(loaded.Model, [ids], options, (_, id) =>
        {
            output.Write(stream.Add(id));
            output.Flush();
        }, session.Interrupt.Token)[0];
        output.WriteLine(stream.Finish());
        session.Log.Debug("{Count} tokens, {Speed} tokens/s", made.Length, (made.Length / clock.Elapsed.TotalSeconds).ToString("F1", CultureInfo.InvariantCulture));
        return 0;
    }

    private static void Require(string option, bool holds, double value, string expected)
    {
        if (!holds) throw new RequestException(string.Create(CultureInfo.InvariantCulture, $"{option} must be {expected}, got {value}"));
    }
}
