using System.Globalization;
using System.Text.RegularExpressions;
using LlmTune.Io;
using LlmTune.Layers;

namespace LlmTune.Adapters;

/// <summary>What an adapter's tensors say of the model that it was made for, where that is plainly another.</summary>
internal static partial class AnotherModel
{
    /// <summary>Tensors that a message names beside the sentence that tells it all.</summary>
    private const int Examples = 3;

    /// <summary>What does not fit, as the end of a message: all of it, or of a wholly different model a sentence and some examples.</summary>
    /// <param name="problems">A line for each tensor.</param>
    /// <param name="folder">The adapter's.</param>
    public static string Describe(SafetensorsFile stored, IReadOnlyList<Part> parts, IReadOnlyList<string> problems, string folder)
    {
        List<(string Adapter, string Model)> differences = [];
        if (Width(stored, parts) is var (found, own)) differences.Add(($"width {found}", $"{own}"));
        var (layers, ownLayers) = (Layers(stored.Tensors.Keys), Layers(parts.Select(part => part.Name)));
        if (layers > ownLayers) differences.Add(($"{layers} layers", $"{ownLayers}"));
        if (differences.Count == 0) return $"\n  {string.Join("\n  ", problems)}";

        var named = JsonFile.Read(Path.Combine(folder, PeftConfig.FileName)).TryGetProperty("base_model_name_or_path", out var name) ? $"{name}" : "";
        var sentence = $" it was made for {string.Join(" and ", differences.Select(d => d.Adapter))}, this model has {string.Join(" and ", differences.Select(d => d.Model))}"
            + (named.Length == 0 ? "" : $"; it names {named} as its base");
        IEnumerable<string> lines = problems.Count <= Examples + 1
            ? problems
            : [.. problems.Take(Examples), string.Create(CultureInfo.InvariantCulture, $"… and {problems.Count - Examples:N0} more")];
        return $"{sentence}\n  {string.Join("\n  ", lines)}";
    }

    /// <summary>The width that the matrices were made for, where a layer that takes or gives the model's width has another.</summary>
    private static (long Found, long Own)? Width(SafetensorsFile stored, IReadOnlyList<Part> parts)
    {
        if (parts.OfType<Embedding>().FirstOrDefault() is not { } table) return null;
        var width = table.Weight.Value.shape[1];
        foreach (var part in parts.OfType<LinearPart>().Where(part => !part.IsHead))
        {
            if (part.Weight.In == width && Shape(part, "lora_A.") is [_, var @in] && @in != width) return (@in, width);
            if (part.Weight.Out == width && Shape(part, "lora_B.") is [var @out, _] && @out != width) return (@out, width);
        }
        return null;

        long[]? Shape(Part part, string matrix)
        {
            var beginning = AdapterFolder.Key(part.Name, matrix);
            return stored.Tensors.Values.FirstOrDefault(tensor => tensor.Name.StartsWith(beginning, StringComparison.Ordinal) && tensor.Shape.Length == 2)?.Shape;
        }
    }

    /// <summary>How many layers names speak of.</summary>
    private static int Layers(IEnumerable<string> names) => names
        .Select(name => LayerNumber().Match(name)).Where(match => match.Success)
        .Select(match => int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) + 1).DefaultIfEmpty(0).Max();

    [GeneratedRegex(@"\.layers\.(\d{1,6})\.")]
    private static partial Regex LayerNumber();
}
