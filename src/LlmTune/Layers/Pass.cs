namespace LlmTune.Layers;

/// <summary>What a forward pass carries beside the hidden states: the surroundings of attention, and where dropout masks come from.</summary>
public sealed record Pass(AttentionContext Attention, DropoutSource Dropout)
{
    /// <summary>A pass without dropout: evaluation and generation.</summary>
    public Pass(AttentionContext attention) : this(attention, DropoutSource.None)
    {
    }
}
