using LlmTune.Layers;

namespace LlmTune.Models;

/// <summary>A decoder as data: an embedding, blocks, a last norm and a head. Behaviour hangs on these values, never on a model's name.</summary>
public sealed record ModelSpec
{
    /// <summary>config.json's model_type.</summary>
    public required string Family { get; init; }

    /// <summary>V.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>D.</summary>
    public required int Width { get; init; }

    public required IReadOnlyList<BlockSpec> Blocks { get; init; }

    /// <summary>ε of the last norm.</summary>
    public required double NormEpsilon { get; init; }

    /// <summary>Whether the head multiplies with the embedding's matrix.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>How many positions the model was made for.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Standard deviation of initial weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Tokens that end a generation.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>The token for padding, if the config names one.</summary>
    public int? PadToken { get; init; }

    /// <summary>The type that the config says the weights are in.</summary>
    public ScalarType? StoredType { get; init; }

    /// <summary>Number of parameters.</summary>
    public long Parameters => Decoder.TensorShapes(this).Sum(tensor => tensor.Shape.Aggregate(1L, (a, b) => a * b));
}
