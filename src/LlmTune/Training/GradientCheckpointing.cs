using System.Text.Json.Nodes;
using LlmTune.Config;

namespace LlmTune.Training;

/// <summary>How many blocks of the model keep only their input and are computed again in the backward pass.</summary>
/// <param name="Blocks">Null: as many as the memory asks for.</param>
public readonly record struct GradientCheckpointing(int? Blocks)
{
    public static GradientCheckpointing Auto { get; } = new(null);

    public static GradientCheckpointing None { get; } = new(0);

    /// <summary>Every block, however many there are.</summary>
    public static GradientCheckpointing All { get; } = new(int.MaxValue);
}

/// <summary>Written auto, true, false, or a number of blocks.</summary>
internal sealed class GradientCheckpointingForm : Form
{
    public override string Expected => "auto, true, false or a number of blocks";

    public override object Read(ConfigNode node, Reading reading) => node switch
    {
        ScalarNode { Kind: ScalarKind.Text, Text: "auto" } => GradientCheckpointing.Auto,
        ScalarNode { Kind: ScalarKind.Bool } => Forms.Of<bool>().Read(node, reading) is true ? GradientCheckpointing.All : GradientCheckpointing.None,
        ScalarNode { Kind: ScalarKind.Int } => new GradientCheckpointing(Require.AtLeast(0, (int)Forms.Of<int>().Read(node, reading)!)),
        _ => throw Mismatch(node),
    };

    public override ConfigNode Write(object value) => ScalarNode.Plain(((GradientCheckpointing)value).Blocks switch
    {
        null => "auto",
        0 => "false",
        int.MaxValue => "true",
        var blocks => $"{blocks}",
    });

    public override JsonObject Schema() => new()
    {
        ["anyOf"] = new JsonArray(
            new JsonObject { ["enum"] = new JsonArray("auto", true, false) },
            new JsonObject { ["type"] = "integer", ["minimum"] = 0 }),
    };
}
