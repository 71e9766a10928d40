using LlmTune.Quantization;

namespace LlmTune.Adapters;

/// <summary>
/// A copy of a tensor of the base that stands in its place while its set is active, and is trained instead of it. In the base's
/// type: one of 16 bits has its float32 master in the optimizer, like any 16-bit parameter.
/// </summary>
/// <param name="Modules">Whose tensor it is: one module, or two where tied ends are trained as one.</param>
/// <param name="Own">The tensor's name in the base behind the module's: weight, bias.</param>
/// <param name="Tensor">Named as in a PEFT folder: weight, bias, base_layer.bias.</param>
public sealed record TrainedCopy(IReadOnlyList<string> Modules, string Own, ModelTensor Tensor)
{
    public IEnumerable<(string Module, string Name, Tensor Value)> Saved => Modules.Select(module => (module, Tensor.Names[0].Name, Tensor.Value.detach()));
}
