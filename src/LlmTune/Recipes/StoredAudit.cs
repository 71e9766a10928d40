using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Models;
using LlmTune.Native;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>The audit of special tokens before a model is loaded, with the embeddings as they lie in its folder, where they do.</summary>
internal static class StoredAudit
{
    public static IReadOnlyList<AuditFinding> Check(RunConfig config, HfTokenizer tokenizer, ChatTemplate? template, Corpus corpus, ModelFolder folder)
    {
        if (config.Model.Init == ModelInit.Random) return RunData.Audit(tokenizer, template, corpus, folder, new AuditEmbeddings(_ => [], Frozen: false));
        if (Open(folder) is not { } weights) return RunData.Audit(tokenizer, template, corpus, folder, embeddings: null);
        using (weights)
        {
            using var table = weights.Alias(Decoder.EmbeddingWeight);
            return RunData.Audit(tokenizer, template, corpus, folder, RunData.Embeddings(table, IsFrozen(config, folder)));
        }
    }

    /// <summary>Null where there are no weights that can be read, or no libtorch to read them with.</summary>
    private static SafetensorsFolder? Open(ModelFolder folder)
    {
        try
        {
            Libtorch.Load();
            var weights = folder.OpenWeights();
            if (weights.Tensors.ContainsKey(Decoder.EmbeddingWeight)) return weights;
            weights.Dispose();
            return null;
        }
        catch (Exception e) when (e is RequestException or RunException)
        {
            return null;
        }
    }

    private static bool IsFrozen(RunConfig config, ModelFolder folder)
    {
        if (config.Adapter is null) return !config.Model.Trainable.Of(folder.Spec).Contains(Decoder.EmbeddingWeight);
        using var outline = Decoder.Outline(folder.Spec);
        using var adapters = RunPlan.Adapt(config, outline);
        return !outline.Embedding.Trainable;
    }
}
