using System.CommandLine;
using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Config;
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
        var data = new Option<string[]>("--data", "-d") { Description = "file of held-out rows; may be given several times; without it what the run held out is measured, base beside run", HelpName = "file" };
        var format = new Option<string>("--format") { Description = "what the rows are, if it is not to be found from them", HelpName = "name" };
        var columns = new Option<string[]>("--columns") { Description = "which column plays which part: prompt=question completion=answer", HelpName = "part=column", AllowMultipleArgumentsPerToken = true };
        var promptTemplate = new Option<string>("--prompt-template") { Description = "the prompt from several columns: \"{schema} {question}\"", HelpName = "text" };
        var chatTemplate = new Option<string>("--chat-template") { Description = "Jinja file, name among the model's, or text; by default each model's own", HelpName = "template" };
        var limit = new Option<int?>("--limit") { Description = "at most so many rows of each file", HelpName = "n" };
        var length = new Option<int?>("--max-length") { Description = "longer rows are cut to so many tokens; by default to what the model knows", HelpName = "n" };
        var batch = new Option<int>("--batch-size") { Description = "rows at once; changes no result", HelpName = "n", DefaultValueFactory = _ => 8 };
        var answers = new Option<int>("--answers") { Description = "so many rows with a reference are answered greedily; 0: none", HelpName = "n", DefaultValueFactory = _ => 100 };
        var most = new Option<int>("--max-new-tokens") { Description = "bound for an answer that does not end", HelpName = "n", DefaultValueFactory = _ => 256 };
        var stop = new Option<string[]>("--stop") { Description = "text that ends an answer as an end token does; may be given several times", HelpName = "text" };
        var output = new Option<string>("--output", "-o") { Description = "where the results are written; evaluation.json in the run's folder, or here without a run", HelpName = "file" };
        var options = new ModelOptions();
        var variables = TemplateOption.Create();
        var command = new Verb("eval", "measure models on held-out rows",
            "eval out/run  # what it held out, before and after training",
            "eval models/base out/run merged --data held-out.jsonl",
            "eval models/base --data test.csv --columns prompt=question completion=answer --answers 0")
        {
            models, data, format, columns, promptTemplate, chatTemplate, limit, length, batch, answers, most, stop, output, variables,
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
            var files = args.GetValue(data) ?? [];
            if (files.Length == 0)
                foreach (var option in new Option[] { format, columns, promptTemplate, chatTemplate, limit, length })
                    if (args.GetResult(option) is { Implicit: false }) throw new RequestException($"{option.Name} goes with --data; what a run held out is measured as it was in training");
            Libtorch.Load();
            var (device, type) = options.Read(args);
            IReadOnlyList<ModelSource> targets = [.. ModelSource.ResolveAll(args.GetValue(models)!, args.GetValue(options.Base)).Select(source => options.Apply(args, source).With(args.GetValue(variables)))];
            var request = new EvaluateRequest
            {
                Targets = files.Length == 0 ? BesideOrigin(targets, session) : targets,
                Data = files,
                Format = args.GetValue(format),
                Columns = Columns(args.GetValue(columns) ?? []),
                PromptTemplate = args.GetValue(promptTemplate),
                ChatTemplate = args.GetValue(chatTemplate),
                Limit = args.GetValue(limit),
                MaxLength = args.GetValue(length),
                BatchSize = args.GetValue(batch),
                Answers = args.GetValue(answers),
                MaxNewTokens = args.GetValue(most),
                Stops = args.GetValue(stop) ?? [],
            };
            return Run(request, device, type, args.GetValue(output) ?? Place(targets), session);
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

    /// <summary>A run alone beside the model that it began with, where that is here.</summary>
    private static IReadOnlyList<ModelSource> BesideOrigin(IReadOnlyList<ModelSource> targets, Session session)
    {
        if (targets is not [{ Origin: { } origin } run]) return targets;
        try
        {
            _ = origin.OpenBase();
            return [origin, run];
        }
        catch (RequestException e)
        {
            session.Log.Warning("without the model that it began with beside it: {Problem}", e.Message);
            return targets;
        }
    }

    /// <summary>The folder of the run that is evaluated, if it is one.</summary>
    private static string Place(IReadOnlyList<ModelSource> targets)
    {
        const string Name = "evaluation.json";
        return targets.Where(target => target.IsRun).ToList() is [var run] ? Path.Combine(run.Name, Name) : Name;
    }

    /// <summary>part=column, also several in one word with commas between; null: nothing was said.</summary>
    private static ValueDictionary? Columns(string[] words)
    {
        var entries = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var word in words.SelectMany(word => word.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)))
        {
            if (word.Split('=', 2) is not [{ Length: > 0 } part, { Length: > 0 } column])
                throw new RequestException($"--columns takes part=column (prompt=question completion=answer), got '{word}'");
            entries[part] = column;
        }
        return entries.Count == 0 ? null : new ValueDictionary(entries);
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
