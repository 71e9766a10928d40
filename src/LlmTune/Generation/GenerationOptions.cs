namespace LlmTune.Generation;

/// <summary>How text is generated; names and meanings are those of transformers' GenerationConfig.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most new tokens of a row.</summary>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>False: the likeliest token each time.</summary>
    public bool DoSample { get; init; }

    /// <summary>Scores are divided by it.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Only the k likeliest; 0: all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the likeliest whose probabilities sum up to p; 1: all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Only those with at least this share of the likeliest one's probability; 0: all.</summary>
    public double MinP { get; init; }

    /// <summary>Makes tokens that occurred less likely (above 1); 1: off.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>No stretch of so many tokens occurs twice in a row; 0: off.</summary>
    public int NoRepeatNgramSize { get; init; }

    /// <summary>No end token before so many new ones.</summary>
    public int MinNewTokens { get; init; }

    /// <summary>Tokens that end a row; they are part of the output.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>Of sampling.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Whether a row ends with the tokens it has; null: never for another reason than an end token.</summary>
    public Func<IReadOnlyList<int>, bool>? Stop { get; init; }
}
