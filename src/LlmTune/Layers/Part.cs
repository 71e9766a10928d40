using LlmTune.Adapters;
using LlmTune.Quantization;

namespace LlmTune.Layers;

/// <summary>
/// A module of the model that a set of adapters can change: a linear layer, an embedding, a norm. A set adds to its output, or
/// puts trained copies in the place of its tensors; without an active set it is the base's.
/// </summary>
/// <param name="name">Full module name, as <c>model.layers.0.self_attn.q_proj</c>.</param>
public abstract class Part(string name)
{
    public string Name { get; } = name;

    /// <summary>The name behind the last dot: <c>q_proj</c>.</summary>
    public string ShortName => Name[(Name.LastIndexOf('.') + 1)..];

    /// <summary>The adapter of the active set; null without one.</summary>
    public Adapter? Adapter { get; internal set; }

    /// <summary>What the active set has in the place of the weight; null: nothing.</summary>
    public ModelTensor? WeightCopy { get; internal set; }

    /// <summary>What the active set has in the place of the bias; null: nothing.</summary>
    public ModelTensor? BiasCopy { get; internal set; }

    /// <summary>The base's tensors, by their names behind the module's: <c>weight</c>, <c>bias</c>.</summary>
    public abstract IEnumerable<(string Name, Tensor Value)> Own { get; }

    /// <summary>Whether anything of the active set receives a gradient here.</summary>
    public bool Adapting => Adapter is { Trainable: true } || WeightCopy is { Trainable: true } || BiasCopy is { Trainable: true };
}
