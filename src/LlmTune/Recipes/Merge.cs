using LlmTune.Adapters;
using LlmTune.Io;
using LlmTune.Models;
using Serilog;

namespace LlmTune.Recipes;

/// <summary>Works an adapter into its base: a model folder that is served anywhere. Computed in float32, rounded once.</summary>
public static class Merge
{
    /// <param name="source">A run or an adapter.</param>
    /// <param name="output">The model folder to write.</param>
    /// <param name="force">Whether a folder that is there may be replaced.</param>
    /// <exception cref="RunException">
    /// Nothing is written; or, as the message says, the folder is there, but the comparison of it failed.
    /// </exception>
    public static MergeCheck Run(ModelSource source, string output, bool force, Device device, ILogger log)
    {
        if (source.Adapter is null) throw new RequestException($"{source.Name} is a model without an adapter; there is nothing to merge");
        output = Path.GetFullPath(output);
        var folder = source.OpenBase();
        RequireElsewhere(output, folder.Path, source.Adapter);
        AtomicFolder.RequireFree(output, force);

        MergeCheck? check = null;
        Exception? failure = null;
        AtomicFolder.Write(output, force, staged =>
        {
            Write(staged, folder, source, log);
            try
            {
                check = MergeCheck.Of(source, staged, device);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                failure = e;   // what is written is whole, and stays
            }
            WriteCard(staged, source, check);
        });
        if (check is null)
        {
            throw new RunException(
                $"{output} is written, but could not be compared with base and adapter: {failure!.Message.Split('\n')[0]}\n"
                + $"  → llmtune eval {source.Name} {output} --data FILE compares their losses; or merge again with --force, and --device cpu where the device was at fault",
                failure);
        }
        return check.IsFinite ? check : throw new RunException(
            $"{output} is written, but its logits or those of base and adapter are not finite (NaN or infinity)\n"
            + "  → llmtune generate shows of each what it writes; base or adapter is damaged, or the adapter diverged in training");
    }

    /// <summary>Tensor by tensor from the base's files to the new ones; each adapted matrix is merged on the way.</summary>
    private static void Write(string staged, ModelFolder folder, ModelSource source, ILogger log)
    {
        using var weights = folder.OpenWeights();
        using var model = folder.Load(META, ScalarType.Float32);   // reads no numbers: what does not fit is said before anything is written
        log.LeftOut(folder);
        using var set = AdapterFolder.Load(source.Adapter!, model.Parts, CPU, trainable: false);
        var merging = new Merging(set, model.Parts);
        foreach (var note in set.Notes) log.Note(note);
        var plan = weights.Tensors.Values.Select(tensor => (tensor.Name, Shape: merging.ShapeOf(tensor.Name, tensor.Shape), tensor.Type)).ToList();

        // A change of one of two tied ends belongs to that end alone: they part, unless the adapter was made to keep them together.
        string head = model.Head.Parts[0].Name + ".weight", embedding = model.Embedding.Name + ".weight";
        var untied = folder.Spec.TiedHead && !set.KeepsTogether(model.Embedding, model.Head.Parts[0]);
        if (untied && !weights.Tensors.ContainsKey(head)) plan.Add((head, merging.ShapeOf(head, weights.Tensors[embedding].Shape), weights.Tensors[embedding].Type));

        string? written = null;
        SafetensorsWriter.WriteFolder(staged, plan, name =>
        {
            if (written is not null) weights.Forget(written);
            written = name == head && untied ? embedding : name;
            var stored = weights.Alias(written);
            return merging.Changes(name) ? merging.Apply(name, stored) : stored;
        });
        merging.Finish();
        ModelFiles.CopyBeside(folder.Path, source.Tokenizer, staged);
        ModelFiles.WriteConfig(folder.Path, staged, config =>
        {
            if (untied) config["tie_word_embeddings"] = false;
            if (plan.Find(tensor => tensor.Name == embedding).Shape is [var vocabulary, _]) config["vocab_size"] = vocabulary;
        });
        ServingFiles.Of(source, folder.Path, log).Complete(staged, log);
        var types = string.Join(", ", plan.Select(t => t.Type.ToString().ToLowerInvariant()).Distinct());
        log.Information("Merged {Count} tensors of {Model} in float32, stored as {Types}{Untied}",
            merging.Changed.Count, folder.Name, types, untied ? "; the head is no longer tied to the embedding" : "");
    }

    private static void WriteCard(string staged, ModelSource source, MergeCheck? check) => AtomicFile.WriteText(Path.Combine(staged, "README.md"), $"""
        ---
        base_model: {source.Base}
        library_name: transformers
        tags: [llmtune, merged]
        ---

        # {Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Base))} with {Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Name))} merged in

        Base model: `{source.Base}`. Adapter: `{source.Name}`. Merged in float32, rounded once to the type of the base.

        {(check is null ? "The merged model has not been compared with base and adapter." : $"Merged model against base and adapter: {check}.")}

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
