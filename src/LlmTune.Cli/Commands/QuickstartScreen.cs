using System.Diagnostics;
using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Recipes;
using LlmTune.Recipes.Quickstart;
using Spectre.Console;

namespace LlmTune.Cli.Commands;

/// <summary>How the quickstart's story looks.</summary>
internal sealed class QuickstartScreen(Session session)
{
    private const int Steps = 7, Widest = 100;

    private readonly IAnsiConsole _console = session.Screen.Results;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _step;
    private string _title = "";

    public void Begin(QuickstartRequest request)
    {
        var form = request.Fast ? ", the short form" : "";
        Paragraph($"The whole story of a fine-tuned model in {Steps} steps{form}. It is a toy: it shows how things go together.");
        Paragraph($"Everything is kept in {request.Folder}.");
        if (ProgramPath.Alias is not { } alias) return;
        Paragraph("The commands below do each step again. They need this line once in your shell:");
        Command(alias);
    }

    public void Step(string title, string text, string? command = null)
    {
        _title = title;
        _console.WriteLine();
        _console.Line($"{++_step}/{Steps} {title}", "bold");
        Paragraph(text);
        if (command is not null) Command($"llmtune {command}", prefix: "$ ");
    }

    public void Say(params FormattableString[] text) => Paragraph(string.Concat(text.Select(part => part.ToString(CultureInfo.InvariantCulture))));

    public void Data(QuickstartData data, QuickstartFolder folder)
    {
        Say($"{data.Texts:N0} texts, {data.Chats:N0} conversations, {data.Questions:N0} questions;",
            $" {data.HeldOut:N0} questions about other tables are held out. For example:");
        Columns([["text", data.Text], ["question", data.Question], ["its SQL", data.Sql]]);
        Say($"They lie in {QuickstartFolder.Shown(folder.Data)}.");
    }

    /// <param name="run">The run's folder, as it is typed.</param>
    public void Trained(FinetuneResult result, string run, string heldOut)
    {
        Say($"{result.Steps:N0} steps. Loss on {heldOut}: {result.FirstEvalLoss:F4} before, {result.LastEvalLoss:F4} after.");
        Say($"The losses as a picture: {QuickstartFolder.Shown(RunFolder.Open(run).Losses)}");
    }

    /// <summary>What a model wrote on from a beginning.</summary>
    public void Wrote(string beginning, string text) =>
        Paragraph($"From \"{beginning}\" the base writes on: \"{VisibleText.OnOneLine(text[beginning.Length..].Trim())}\"");

    public void Results(IReadOnlyList<EvaluationResult> results, IReadOnlyList<QuickstartSample> samples)
    {
        _console.Write(EvalCommand.Table(results));
        var (before, adapter, merged) = (results[0], results[1], results[^1]);
        Say($"Loss {before.All.Loss:F2} before tuning, {adapter.All.Loss:F2} after; right to the letter {Percent(before)} before,",
            $" {Percent(adapter)} after, of {adapter.Answers.Count:N0} questions about tables that were not trained on.");
        var compared = Equal(adapter, merged) ? "give the same answers." : "differ in some answers: rounding decided between two tokens.";
        Paragraph($"Adapter and merged model {compared}");
        foreach (var sample in samples)
        {
            _console.WriteLine();
            Columns([["question", sample.Prompt], ["expected", sample.Expected], ["before", sample.Before], ["after", sample.After]]);
        }
    }

    public void End(QuickstartFolder folder, QuickstartCommands commands, bool fast)
    {
        _console.WriteLine();
        _console.Line($"Done in {ProgressStep.Duration(_clock.Elapsed)}", "bold");
        if (fast) Paragraph("With --fast little is learnt; without it the tuned model answers nearly every question.");
        string Shown(string path) => QuickstartFolder.Shown(path);
        Columns(
        [
            [Shown(folder.Data), "the made-up rows"],
            [Shown(folder.PretrainFile), "the run file of the base, with comments"],
            [Shown(folder.LoraFile), "the run file of the adapter, with comments"],
            [Shown(folder.Base), "the base: model, metrics, loss.svg, model card"],
            [Shown(folder.Lora), "the adapter, as PEFT writes it, with its metrics and loss.svg"],
            [Shown(folder.Merged), "the merged model"],
            [Shown(folder.Evaluation), "every answer beside what was expected"],
            [Shown(folder.Commands), "all commands, as a script"],
        ]);
        _console.WriteLine();
        Paragraph("Ask it something, and look at the rows as the model sees them:");
        Command($"llmtune {commands.Generate}");
        Command($"llmtune {commands.Preview}");
        _console.WriteLine();
        Paragraph("With your own model and data (a folder of Hugging Face's form; jsonl, csv, parquet …):");
        Command("llmtune init run.yaml --model models/Qwen2.5-0.5B-Instruct --data data/train.jsonl");
        Command("llmtune preview run.yaml --check");
        Command("llmtune train run.yaml");
    }

    public void Interrupted(QuickstartRequest request)
    {
        var step = _step == 0 ? "before the first step" : $"in step {_step} of {Steps} ({_title})";
        var again = $"llmtune quickstart --keep {ProgramPath.Quoted(QuickstartFolder.Shown(request.Folder))} --seed {request.Seed}{(request.Fast ? " --fast" : "")}";
        session.Screen.People.Line("interrupted ", "olive", $"{step}; what stands so far is in {request.Folder}. {again} begins anew, and replaces it");
    }

    private static string Percent(EvaluationResult result) =>
        string.Create(CultureInfo.InvariantCulture, $"{100 * result.ExactMatch:F1} %");

    private static bool Equal(EvaluationResult a, EvaluationResult b) =>
        a.Answers.Select(answer => answer.Generated).SequenceEqual(b.Answers.Select(answer => answer.Generated));

    private int Width => Math.Min(Widest, _console.Profile.Width);

    private void Paragraph(string text)
    {
        foreach (var line in TextColumns.Wrap(text, Width)) _console.Line(line);
    }

    /// <summary>Left to the terminal to wrap, so that it can be copied whole.</summary>
    private void Command(string command, string prefix = "  ") => _console.Line(prefix, "dim", command, "green");

    private void Columns(IReadOnlyList<string[]> rows) =>
        TextColumns.Write(_console, [.. rows.Select(row => row.Select(VisibleText.OnOneLine).ToArray())]);
}
