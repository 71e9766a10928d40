using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Recipes;
using LlmTune.Tokenization;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune tokenizer train</c>: texts become a tokenizer.</summary>
internal static class TokenizerCommand
{
    private static readonly (string Name, TrainingPattern Pattern)[] Patterns =
        [("gpt2", TrainingPattern.Gpt2), ("cl100k", TrainingPattern.Cl100k), ("qwen2", TrainingPattern.Qwen2)];

    public static Command Create() =>
        new Verb("tokenizer", "make a tokenizer", "tokenizer train data/*.txt --output models/tokenizer --vocab-size 8000") { Train() };

    private static Verb Train()
    {
        var files = new Argument<string[]>("file") { Description = "texts: files, folders or patterns (txt, jsonl, parquet …); - reads JSON lines from standard input", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string>("--output", "-o") { Description = "folder to write", HelpName = "folder", Required = true };
        var size = new Option<int>("--vocab-size") { Description = "entries in all: special tokens, 256 bytes, and merges", HelpName = "n", Required = true };
        var special = new Option<string[]>("--special-tokens")
        {
            Description = "tokens that no text is cut into; they take the first ids",
            HelpName = "token …",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => ["<|endoftext|>"],
        };
        var pattern = new Option<string>("--pattern") { Description = "how a text is cut before merging: gpt2, cl100k (Llama 3) or qwen2", HelpName = "name", DefaultValueFactory = _ => "cl100k" };
        var frequency = new Option<long>("--min-frequency") { Description = "pairs that occur less often are not merged", HelpName = "n", DefaultValueFactory = _ => 2 };
        var column = new Option<string>("--column") { Description = "which column of jsonl, csv or parquet holds the text", HelpName = "name", DefaultValueFactory = _ => "text" };
        var threads = new Option<int>("--threads") { Description = "0: all cores; the result is the same", HelpName = "n", DefaultValueFactory = _ => 0 };
        var force = new Option<bool>("--force") { Description = "replace a tokenizer that is in the folder" };
        pattern.OneOf([.. Patterns.Select(known => known.Name)]);
        var command = new Verb("train", "learn a byte-level BPE vocabulary from texts",
            "tokenizer train data/*.txt --output models/tokenizer --vocab-size 8000",
            "tokenizer train docs.jsonl --column body -o tok --vocab-size 32000 --special-tokens \"<|endoftext|>\" \"<|im_start|>\" \"<|im_end|>\"")
        {
            files, output, size, special, pattern, frequency, column, threads, force,
        };
        command.SetAction(args =>
        {
            if (args.GetValue(frequency) < 0) throw new RequestException($"--min-frequency must be at least 0, got {args.GetValue(frequency)}");
            if (args.GetValue(threads) < 0) throw new RequestException($"--threads must be at least 0, got {args.GetValue(threads)}");
            var chosen = Patterns.Single(known => known.Name == args.GetValue(pattern)).Pattern;
            var request = new TokenizerRequest
            {
                Sources = args.GetValue(files)!,
                Column = args.GetValue(column)!,
                Threads = args.GetValue(threads),
                Training = new BpeTraining
                {
                    VocabularySize = args.GetValue(size),
                    MinFrequency = args.GetValue(frequency),
                    SpecialTokens = args.GetValue(special) ?? [],
                    Pattern = chosen,
                    ComposeUnicode = chosen == TrainingPattern.Qwen2,
                },
            };
            return Run(request, args.GetValue(output)!, args.GetValue(force), args.Session());
        });
        return command;
    }

    private static int Run(TokenizerRequest request, string output, bool force, Session session)
    {
        if (File.Exists(output)) throw new RequestException($"{output} is a file; name the folder to write");
        if (File.Exists(Path.Combine(output, "tokenizer.json")) && !force)
            throw new RequestException($"{output} holds a tokenizer already; name another --output, or say --force to replace it");
        TrainedTokenizer trained;
        using (var view = new ProgressView(session)) trained = TrainTokenizer.Run(request, new Shown(view), session.Interrupt.Token);

        var asked = request.Training.VocabularySize;
        if (trained.Tokens.Count < asked)
            session.Log.Warning("the texts give {Entries:N0} entries, {Asked:N0} were asked for: no other pair occurs {Frequency} times; give more text, or lower --min-frequency",
                trained.Tokens.Count, asked, request.Training.MinFrequency);
        var roles = TrainTokenizer.Roles(request.Training.SpecialTokens);
        trained.Save(output, roles);
        session.Log.Information("{Entries:N0} entries, {Merges:N0} of them merges", trained.Tokens.Count, trained.Merges.Count);
        if (roles.Count > 0) session.Log.Information("By their names: {Roles}", string.Join(", ", roles.Select(role => $"{role.Key} {role.Value}")));
        if (!roles.ContainsKey("eos_token"))
            session.Log.Warning("none of the special tokens is known as an end of text; name one as eos_token in {File}", Path.Combine(output, "tokenizer_config.json"));
        session.Log.Information("Wrote {Folder}", output);
        session.Log.Information("Next: llmtune tokenize {Folder} \"some text\"", ProgramPath.Quoted(output));
        return 0;
    }

    private sealed class Shown(ProgressView view) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => view.Update(value.Stage == "reading" ? "reading, per cent" : value.Stage, value.Done, value.Total);
    }
}
