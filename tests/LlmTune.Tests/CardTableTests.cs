using System.Globalization;
using System.Text.RegularExpressions;
using LlmTune.Adapters;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Training;

namespace LlmTune.Tests;

/// <summary>The README's table of models and cards: what the plan of a run says of one row of 2,048 tokens in bfloat16 on a GPU.</summary>
public partial class CardTableTests
{
    private const int Tokens = 2048;

    private static string[] Rows()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var section = text[text.IndexOf("## What fits which card", StringComparison.Ordinal)..];
        return [.. TableRow().Matches(section[..section.IndexOf("\n## ", StringComparison.Ordinal)]).Select(match => match.Value)];
    }

    [Fact]
    public void Every_shape_by_name_stands_in_it_with_what_the_plan_says()
    {
        var expected = NamedShapes.All.Keys.Where(name => name != "tiny").Select(Row).ToArray();
        Assert.Equal(expected, Rows());
    }

    private static string Row(string name)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], NamedShapes.All[name]);
        var spec = FamilyTable.Read(ConfigJson.Read(folder["config.json"]));
        var parameters = string.Create(CultureInfo.InvariantCulture, $"{spec.Parameters / 1e9:F1} billion");
        return $"| {name} | {parameters} | {Lora(spec, recomputed: 0)} | {Lora(spec, int.MaxValue)} | {Full(spec)} |";
    }

    private static string Lora(ModelSpec spec, int recomputed)
    {
        using var outline = Decoder.Outline(spec);
        using var adapter = AdapterSet.Create(LoraPlan.From(new LoraConfig()), outline.Parts, 1, outline.Device);
        return Gigabytes(spec, new TrainedShare(adapter.Tensors.Sum(tensor => tensor.Tensor.Value.numel()), OfModel: false, FirstBlock: 0, Head: false), recomputed);
    }

    private static string Full(ModelSpec spec) => Gigabytes(spec, new TrainedShare(spec.Parameters, OfModel: true, FirstBlock: 0, Head: true), int.MaxValue);

    private static string Gigabytes(ModelSpec spec, TrainedShare trained, int recomputed) => string.Create(CultureInfo.InvariantCulture,
        $"{MemoryPlan.Estimate(spec, ScalarType.BFloat16, trained, Tokens, TokenStatistics.ChunkRows(new Device("cuda"), spec.Vocabulary), recomputed, long.MaxValue).Total / 1e9:F1} GB");

    [GeneratedRegex(@"^\| [a-z0-9.-]+ \| [0-9.]+ billion .*$", RegexOptions.Multiline)]
    private static partial Regex TableRow();
}
