namespace LlmTune.Tokenization;

/// <summary>How a text is cut before merging; nothing is merged across a cut.</summary>
public enum TrainingPattern
{
    /// <summary>GPT-2's, over bytes.</summary>
    Gpt2,

    /// <summary>That of cl100k and Llama 3, over bytes: three digits at most, line ends apart.</summary>
    Cl100k,

    /// <summary>Qwen's, over bytes: digits alone.</summary>
    Qwen2,

    /// <summary>Words and runs of symbols, over characters; white space is lost.</summary>
    Words,
}

/// <summary>What a vocabulary is trained to, with the meanings of Hugging Face's BpeTrainer.</summary>
public sealed record BpeTraining
{
    /// <summary>Entries in all: special tokens, alphabet and merges. The first two are never cut.</summary>
    public int VocabularySize { get; init; } = 30_000;

    /// <summary>Pairs that occur less often are not merged.</summary>
    public long MinFrequency { get; init; }

    /// <summary>They take the first ids. They are not cut out of the text.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    public TrainingPattern Pattern { get; init; } = TrainingPattern.Gpt2;

    /// <summary>
    /// All 256 bytes are in the alphabet, so that no text has unknown characters; else only what occurs. Not for
    /// <see cref="TrainingPattern.Words"/>.
    /// </summary>
    public bool AllBytes { get; init; } = true;

    /// <summary>The most frequent characters that are kept; of equal ones the lower code points.</summary>
    public int? LimitAlphabet { get; init; }

    /// <summary>Tokens of as many characters and more do not come about, but for pairs of two single ones.</summary>
    public int? MaxTokenLength { get; init; }

    /// <summary>The text is brought to Unicode's composed form (NFC), as Qwen's is.</summary>
    public bool ComposeUnicode { get; init; }
}

/// <summary>How far a training is: the characters read, or the entries of the vocabulary.</summary>
public readonly record struct TrainingProgress(string Stage, long Done, long Total);
