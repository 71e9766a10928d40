namespace LlmTune.Layers;

/// <summary>The shape of one attention layer.</summary>
/// <param name="Heads">H query heads.</param>
/// <param name="KeyValueHeads">K heads of keys and values, each shared by H/K consecutive query heads.</param>
/// <param name="HeadSize">E.</param>
public sealed record AttentionSpec(int Heads, int KeyValueHeads, int HeadSize, RopeSpec Rope)
{
    /// <summary>Biases of q, k and v.</summary>
    public bool InputBias { get; init; }

    /// <summary>Bias of o.</summary>
    public bool OutputBias { get; init; }

    /// <summary>ε of the norms of each head's queries and keys before the rotation; null without such norms.</summary>
    public double? QueryKeyNorm { get; init; }

    /// <summary>How many tokens back, itself included, a token sees; null: all.</summary>
    public int? Window { get; init; }

    /// <summary>What scores are multiplied by.</summary>
    public double Scale { get; init; } = 1 / Math.Sqrt(HeadSize);
}

/// <summary>
/// Attention with grouped queries (arXiv:2305.13245): projections, norms of queries and keys where the model has them, and
/// whatever the batch's <see cref="AttentionContext"/> makes of them.
/// </summary>
public sealed class Attention : IDisposable
{
    private readonly Projection _input, _output;
    private readonly RmsNorm? _queryNorm, _keyNorm;

    public Attention(WeightSource source, string name, AttentionSpec spec, int layer, long width)
    {
        Spec = spec;
        Layer = layer;
        long queries = spec.Heads * spec.HeadSize, keys = spec.KeyValueHeads * spec.HeadSize;
        _input = new Projection(source, width, spec.InputBias, ($"{name}.q_proj", queries), ($"{name}.k_proj", keys), ($"{name}.v_proj", keys));
        _output = new Projection(source, queries, spec.OutputBias, ($"{name}.o_proj", width));
        if (spec.QueryKeyNorm is { } epsilon)
        {
            _queryNorm = new RmsNorm(source, $"{name}.q_norm", spec.HeadSize, epsilon);
            _keyNorm = new RmsNorm(source, $"{name}.k_norm", spec.HeadSize, epsilon);
        }
    }

    public AttentionSpec Spec { get; }

    /// <summary>Index of the layer: where its keys and values lie in a cache.</summary>
    public int Layer { get; }

    public IEnumerable<Projection> Projections => [_input, _output];

    public IEnumerable<RmsNorm> Norms => _queryNorm is null ? [] : [_queryNorm, _keyNorm!];

    public IEnumerable<Part> Parts => [.. Projections.SelectMany(projection => projection.Parts), .. Norms];

    /// <summary>(T, D) → (T, D).</summary>
    public Tensor Forward(Tensor x, Pass pass)
    {
        var tokens = x.shape[0];
        var inputs = _input.Forward(x, pass);
        var queries = inputs[0].view(tokens, Spec.Heads, Spec.HeadSize);
        var keys = inputs[1].view(tokens, Spec.KeyValueHeads, Spec.HeadSize);
        var values = inputs[2].view(tokens, Spec.KeyValueHeads, Spec.HeadSize);
        if (_queryNorm is not null)
        {
            queries = _queryNorm.Forward(queries);
            keys = _keyNorm!.Forward(keys);
        }
        var mixed = pass.Attention.Attend(queries, keys, values, this);   // (T, H, E)
        return _output.Forward(mixed.reshape(tokens, Spec.Heads * Spec.HeadSize), pass)[0];
    }

    public void Dispose()
    {
        foreach (var projection in Projections) projection.Dispose();
        foreach (var norm in Norms) norm.Dispose();
    }
}
