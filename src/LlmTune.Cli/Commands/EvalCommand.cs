using System.CommandLine;
using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Native;
using LlmTune.Recipes;
using Spectre.Console;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune eval</c>: several models on the same held-out rows.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var models = new Argument<string[]>("run|adapter|model") { Description = "what to evaluate, side by side", Arity = ArgumentArity.OneOrMore };
        var data = new Option<string[]>("--data", "-d") { Description = "file of held-out rows; may be given several times", HelpName = "file", Required = true };
        var format = new Option<string>("--format") { Description = "what the rows are, if it is not to be found from them", HelpName = "name" };
        var limit = new Option<int?>("--limit") { Description = "at most so many rows of each file", HelpName = "n" };
        var length = new Option<int?>("--max-length") { Description = "longer rows are cut to so many tokens; by default to what the model knows", HelpName = "n" };
        var batch = new Option<int>("--batch-size") { Description = "rows at once; changes no result", HelpName = "n", DefaultValueFactory = _ => 8 };
        var answers = new Option<int>("--answers") { Description = "so many rows with a reference are answered greedily; 0: none", HelpName = "n", DefaultValueFactory = _ => 100 };
        var most = new Option<int>("--max-new-tokens") { Description = "bound for an answer that does not end", HelpName = "n", DefaultValueFactory = _ => 256 };
        var stop = new Option<string[]>("--stop") { Description = "text that ends an answer as an end token does; may be given several times", HelpName = "text" };
        var output = new Option<string>("--output", "-o") { Description = "where the results are written", HelpName = "file", DefaultValueFactory = _ => "evaluation.json" };
        var options = new ModelOptions();
        var command = new Verb("eval", "measure models on held-out rows",
            "eval models/base out/run merged --data held-out.jsonl",
            "eval out/run --data test.jsonl --answers 0 --output out/run/evaluation.json")
        {
            models, data, format, limit, length, batch, answers, most, stop, output,
        };
        options.AddTo(command);
        command.SetAction(args =>
        {
            var session = args.Session();
            Require("--limit", args.GetValue(limit) ?? 1, 1);
            Require("--max-length", args.GetValue(length) ?? 2, 2);
            Require("--batch-size", args.GetValue(batch), 1);
            Require("--answers", args.GetValue(answers), 0);
            Require("--max-new-tokens", args.GetValue(most), 1);
            Libtorch.Load();
            var (device, type) = options.Read(args);
            var request = new EvaluateRequest
            {
                Targets = ModelSource.ResolveAll(args.GetValue(models)!, args.GetValue(options.Base)),
                Data = args.GetValue(data)!,
                Format = args.GetValue(format),
                Limit = args.GetValue(limit),
                MaxLength = args.GetValue(length),
                BatchSize = args.GetValue(batch),
                Answers = args.GetValue(answers),
                MaxNewTokens = args.GetValue(most),
                Stops = args.GetValue(stop) ?? [],
            };
            return Run(request, device, type, args.GetValue(output)!, session);
        });
        return command;
    }

    private static int Run(EvaluateRequest request, Device device, ScalarType type, string output, Session session)
    {
        IReadOnlyList<EvaluationResult> results;
        using (var view = new ProgressView(session)) results = Evaluate.Run(request, device, type, session.Log, session.Screen.IsLive ? view.Update : null, session.Interrupt.Token);
        session.Screen.Results.Write(Table(results));
        Evaluate.Write(output, request, results);
        session.Log.Information("Wrote {File}, with every answer beside its reference", output);
        return 0;
    }

    /// <summary>A row a measure, a column a model.</summary>
    internal static Table Table(IReadOnlyList<EvaluationResult> results)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("");
        foreach (var result in results) table.AddColumn(new TableColumn(Markup.Escape(result.Name)).RightAligned());
        Row("loss", result => Say($"{result.All.Loss:F4} ± {result.All.StandardError:F4}"));
        Row("perplexity", result => Say($"{result.All.Perplexity:F3} ± {result.All.PerplexityStandardError:F3}"));
        var labels = results.SelectMany(result => result.Sources.Select(source => source.Label)).Distinct().ToArray();
        if (labels.Length > 1)
            foreach (var label in labels)
                Row($"loss, {label}", result => result.Sources.FirstOrDefault(source => source.Label == label).Loss is { } loss ? Say($"{loss.Loss:F4} ± {loss.StandardError:F4}") : "");
        if (results.Any(result => result.ExactMatch is not null))
            Row("exact match", result => result.ExactMatch is { } match ? Say($"{100 * match:F1} % of {result.Answers.Count}") : "");
        Row("tokens", result => Say($"{result.All.Tokens:N0}"));
        Row("documents", result => Say($"{result.All.Documents:N0}"));
        return table;

        void Row(string label, Func<EvaluationResult, string> cell) => table.AddRow([Markup.Escape(label), .. results.Select(result => Markup.Escape(cell(result)))]);
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Require(string option, int value, int least)
    {
        if (value < least) throw new RequestException($"{option} must be at least {least}, got {value}");
    }
}
