namespace LlmTune.Layers;

/// <summary>Gated feed-forward layer (SwiGLU, arXiv:2002.05202 eq. 6): down(silu(gate x) ∘ up x).</summary>
public sealed class GatedMlp(WeightSource source, string name, long width, long inner, bool bias) : IDisposable
{
    private readonly Projection _gateUp = new(source, width, bias, ($"{name}.gate_proj", inner), ($"{name}.up_proj", inner));
    private readonly Projection _down = new(source, inner, bias, ($"{name}.down_proj", width));

    public IEnumerable<Projection> Projections => [_gateUp, _down];

    /// <summary>(T, D) → (T, D).</summary>
    public Tensor Forward(Tensor x, Pass pass)
    {
        var inputs = _gateUp.Forward(x, pass);
        return _down.Forward(nn.functional.silu(inputs[0]) * inputs[1], pass)[0];
    }

    public void Dispose()
    {
        _gateUp.Dispose();
        _down.Dispose();
    }
}
