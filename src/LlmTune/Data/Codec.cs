using LlmTune.Io;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>The tokens of one turn that its speaker writes, the end of the turn included: [<paramref name="Start"/>, <paramref name="End"/>).</summary>
public readonly record struct TurnTokens(int Message, int Start, int End);

/// <summary>What the pipeline needs of a tokenizer and a chat template. Every function may be called from several threads.</summary>
public sealed record Codec
{
    /// <summary>A text as ids, with what the tokenizer's post-processor adds (BOS, sometimes EOS).</summary>
    public required Func<string, int[]> Encode { get; init; }

    /// <summary>A conversation as ids with the bounds of its turns; null where the model has no chat template.</summary>
    public Func<Conversation, (int[] Ids, IReadOnlyList<TurnTokens> Turns)>? Render { get; init; }

    public int? Eos { get; init; }

    public int? Bos { get; init; }

    /// <summary>Number of ids that the model knows.</summary>
    public int Vocabulary { get; init; } = int.MaxValue;

    /// <summary>Changes with everything that changes ids: tokenizer and template.</summary>
    public string Identity { get; init; } = "";

    /// <summary>A tokenizer without a chat template, for strings.</summary>
    public static Codec Of(HfTokenizer tokenizer) => new()
    {
        Encode = text => tokenizer.Encode(text, addSpecialTokens: true),
        Eos = tokenizer.EosId,
        Bos = tokenizer.BosId,
        Identity = Hashes.OfFile(Path.Combine(tokenizer.Folder, "tokenizer.json")),
    };
}
