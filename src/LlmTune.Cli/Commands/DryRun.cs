using System.Globalization;
using LlmTune.Cli.Terminal;
using LlmTune.Io;
using LlmTune.Recipes;
using Serilog;
using Serilog.Core;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune train --dry-run</c>: what a run would do, as a table; no weight is read and nothing is written.</summary>
internal static class DryRun
{
    public static int Show(RunConfig config, bool force, Session session)
    {
        using var plan = RunPlan.Make(config with { Data = config.Data with { Cache = false } }, Warnings(session.Log), cancel: session.Interrupt.Token);
        session.Screen.Output.Write(Text(plan));
        try
        {
            RunFolder.RequireFree(config, force);
        }
        catch (RequestException e)
        {
            session.Log.Warning("{Problem}", e.Message);   // train itself will refuse
        }
        foreach (var finding in plan.Audit()) session.Log.Warning("{Check}: {Problem}\n  → {Remedy}", finding.Check, finding.Problem, finding.Remedy);
        return 0;
    }

    /// <summary>Of what is said on the way what is left out or looks wrong.</summary>
    private static Logger Warnings(ILogger log) => new LoggerConfiguration().MinimumLevel.Warning().WriteTo.Logger(log).CreateLogger();

    internal static string Text(RunPlan plan)
    {
        var spec = plan.Folder.Spec;
        var trainable = plan.CountTrainable();
        var memory = plan.Memory(trainable);
        var epoch = plan.Batches.Plan;
        var documents = plan.Corpus.Training.Sum(list => list.Length);
        (string Name, FormattableString Value)[] rows =
        [
            ("parameters", $"{spec.Parameters:N0} ({spec.Family}, {spec.Blocks.Count} layers)"),
            ("trainable", $"{trainable:N0} ({100.0 * trainable / spec.Parameters:F2} %)"),
            ("examples", $"{documents:N0}, {plan.Corpus.Eval.Length:N0} more held out"),
            ("tokens an epoch", $"{epoch.Tokens:N0}"),
            ("rows an epoch", $"{epoch.Rows:N0} of up to {plan.Corpus.MaxLength:N0} tokens{Limit(plan)}, {100 * epoch.Fill:F1} % filled"),
            ("steps", $"{plan.Steps:N0} of {plan.Shape.RowsPerStep:N0} rows"),
            ("device", $"{plan.Device}, {plan.Type.ToString().ToLowerInvariant()}"),
            ("memory, about", $"{Sizes.Text(memory.Total)}"),
            ("  weights", $"{Sizes.Text(memory.Weights)}"),
            ("  gradients, optimizer", $"{Sizes.Text(memory.Training)}"),
            ("  activations kept", $"{Sizes.Text(memory.Activations)}, {memory.Recomputed} of {spec.Blocks.Count} layers computed again"),
            ("  chunk of the head", $"{Sizes.Text(memory.Head)}"),
            ("free now", $"{Sizes.Text(plan.FreeMemory)}{(memory.Total > plan.FreeMemory ? ": not enough" : "")}"),
        ];
        var width = rows.Max(row => row.Name.Length) + 2;
        return string.Concat(rows.Select(row => $"{row.Name.PadRight(width)}{row.Value.ToString(CultureInfo.InvariantCulture)}\n"));
    }

    /// <summary>Said where the model knows fewer positions than the run file asks for.</summary>
    private static string Limit(RunPlan plan) => plan.Corpus.MaxLength >= plan.Config.Data.MaxLength ? ""
        : string.Create(CultureInfo.InvariantCulture, $", all that the model knows (data.max_length is {plan.Config.Data.MaxLength:N0})");
}
