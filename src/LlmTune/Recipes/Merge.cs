using System.Globalization;
using LlmTune.Adapters;
using LlmTune.Io;
using LlmTune.Layers;
using LlmTune.Models;
using LlmTune.Native;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>How far the merged model's logits are from those of base and adapter, on a batch of probe tokens.</summary>
/// <param name="Largest">Largest difference.</param>
/// <param name="Scale">Largest logit.</param>
/// <param name="SameChoice">Share of positions with the same likeliest token.</param>
/// <param name="Type">What both were computed in.</param>
public sealed record MergeCheck(double Largest, double Scale, double SameChoice, int Positions, ScalarType Type)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"largest difference of logits {Largest:G3} (largest logit {Scale:G4}), the same likeliest token at {100 * SameChoice:F2} % of {Positions} positions, "
        + $"computed in {Type.ToString().ToLowerInvariant()}");
}

/// <summary>Works an adapter into its base: a model folder that is served anywhere. Computed in float32, rounded once.</summary>
public static class Merge
{
    /// <param name="source">A run or an adapter.</param>
    /// <param name="output">The model folder to write.</param>
    /// <param name="force">Whether a folder that is there may be replaced.</param>
    public static MergeCheck Run(ModelSource source, string output, bool force, Device device, ILogger log)
    {
        if (source.Adapter is null) throw new RequestException($"{source.Name} is a model without an adapter; there is nothing to merge");
        output = Path.GetFullPath(output);
        var folder = ModelFolder.Open(source.Base);
        RequireElsewhere(output, folder.Path, source.Adapter);
        AtomicFolder.RequireFree(output, force);

        MergeCheck check = null!;
        AtomicFolder.Write(output, force, staged =>
        {
            Write(staged, folder, source, log);
            check = Check(source, staged, device);
            WriteCard(staged, source, check);
        });
        return check;
    }

    /// <summary>Tensor by tensor from the base's files to the new ones; each adapted matrix is merged on the way.</summary>
    private static void Write(string staged, ModelFolder folder, ModelSource source, ILogger log)
    {
        using var weights = SafetensorsFolder.Open(folder.Path);
        using var model = Decoder.Outline(folder.Spec);
        using var set = AdapterFolder.Load(source.Adapter!, model.Parts, CPU, trainable: false);
        var merging = new Merging(set, model.Parts);
        var plan = weights.Tensors.Values.Select(tensor => (tensor.Name, tensor.Shape, tensor.Type)).ToList();

        // A change of one of two tied ends belongs to that end alone: they part, unless the adapter was made to keep them together.
        string head = model.Head.Parts[0].Name + ".weight", embedding = model.Embedding.Name + ".weight";
        var untied = folder.Spec.TiedHead && !set.Plan.EnsureWeightTying && (merging.Changes(head) || merging.Changes(embedding));
        if (untied && !weights.Tensors.ContainsKey(head)) plan.Add((head, weights.Tensors[embedding].Shape, weights.Tensors[embedding].Type));

        SafetensorsWriter.WriteFolder(staged, plan, name =>
        {
            var stored = weights.Alias(name == head && untied ? embedding : name);
            return merging.Changes(name) ? merging.Apply(name, stored) : stored;
        });
        merging.Finish();
        ModelFiles.CopyBeside(folder.Path, source.Tokenizer, staged);
        ModelFiles.WriteConfig(folder.Path, staged, config =>
        {
            if (untied) config["tie_word_embeddings"] = false;
        });
        ServingFiles.Of(source, folder.Path, log).Complete(staged, log);
        var types = string.Join(", ", plan.Select(t => t.Type.ToString().ToLowerInvariant()).Distinct());
        log.Information("Merged {Count} tensors of {Model} in float32, stored as {Types}{Untied}",
            merging.Changed.Count, folder.Name, types, untied ? "; the head is no longer tied to the embedding" : "");
    }

    /// <summary>The logits of base and adapter against the merged model's, both computed in one type from what is stored.</summary>
    private static MergeCheck Check(ModelSource source, string merged, Device device)
    {
        var type = CheckType(ModelFolder.Open(merged).Spec, device);
        using var scope = NewDisposeScope();
        Tensor expected;
        int[][] probes;
        using (var adapted = source.Load(device, type))
        {
            probes = Probes(adapted.Folder.Spec);
            expected = Logits(adapted.Model, probes).to(ScalarType.Float32);
        }
        using var model = ModelFolder.Open(merged).Load(device, type);
        var found = Logits(model, probes).to(ScalarType.Float32);
        return new MergeCheck(
            (expected - found).abs().max().Number(), expected.abs().max().Number(),
            expected.argmax(-1).eq(found.argmax(-1)).to(ScalarType.Float64).mean().Number(), probes.Sum(p => p.Length), type);
    }

    /// <summary>float32 shows what merging alone does; where the model does not fit in it, the type that it is used in.</summary>
    private static ScalarType CheckType(ModelSpec spec, Device device)
    {
        return spec.Parameters * 4 < RunMemory.FreeOn(device) * 0.7 ? ScalarType.Float32 : ModelFolder.DefaultType(device);
    }

    /// <summary>Four rows of random tokens, the same every time.</summary>
    private static int[][] Probes(ModelSpec spec)
    {
        var random = new Random(0);
        return [.. Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, Math.Min(64, spec.MaxPositions)).Select(_ => random.Next(spec.Vocabulary)).ToArray())];
    }

    private static Tensor Logits(Decoder model, int[][] rows)
    {
        using var _ = no_grad();
        using var context = model.Packed(
            [.. rows.SelectMany(row => Enumerable.Range(0, row.Length))], [0, .. rows.Select((_, r) => rows.Take(r + 1).Sum(row => row.Length))]);
        var pass = new Pass(context);
        return model.Logits(model.Forward(tensor(rows.SelectMany(row => row).ToArray(), ScalarType.Int64, model.Device), pass), pass);
    }

    private static void WriteCard(string staged, ModelSource source, MergeCheck check) => AtomicFile.WriteText(Path.Combine(staged, "README.md"), $"""
        ---
        base_model: {source.Base}
        library_name: transformers
        tags: [llmtune, merged]
        ---

        # {Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Base))} with {Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Name))} merged in

        Base model: `{source.Base}`. Adapter: `{source.Name}`. Merged in float32, rounded once to the type of the base.

        Merged model against base and adapter: {check}.

        """);

    private static void RequireElsewhere(string output, params string[] inputs)
    {
        foreach (var input in inputs.Select(Path.GetFullPath))
        {
            if (output == input || input.StartsWith(output + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                throw new RequestException($"the output {output} is or holds {input}, which is read from; name another folder");
        }
    }
}
