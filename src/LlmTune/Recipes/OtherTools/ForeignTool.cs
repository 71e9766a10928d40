using System.Text.RegularExpressions;
using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>A tool whose run files are translated: how they are recognised, and what their keys become.</summary>
internal sealed record ForeignTool(string Name, IReadOnlyList<ForeignKey> Keys)
{
    /// <summary>Keys at the top by any of which a file is known as one of this tool.</summary>
    public IReadOnlyList<string> Marks { get; init; } = [];

    /// <summary>The entry at the top by which a file is known; null where it is none of this tool's.</summary>
    public Func<MapNode, MapEntry?>? KnownBy { get; init; }

    /// <summary>What a file says once what it refers to is filled in.</summary>
    public Func<MapNode, Problems, MapNode> Filled { get; init; } = (file, _) => file;

    /// <summary>A key at the top that says that the file is not for training, and what to do instead; null for training.</summary>
    public Func<MapNode, (string Key, string Instead)?> OtherPurpose { get; init; } = _ => null;

    /// <summary>What needs all keys.</summary>
    public Action<Draft> Finish { get; init; } = _ => { };

    public MapEntry? Mark(MapNode file) => KnownBy is null ? file.Entries.FirstOrDefault(entry => Marks.Contains(entry.Key)) : KnownBy(file);

    public ForeignKey? Find(string key) => Keys.FirstOrDefault(row => row.Fits(key));
}

/// <summary>The other tools, and which of them a file belongs to.</summary>
internal static partial class ForeignTools
{
    private static readonly string[] OurSections = ["model", "data", "training", "objective", "adapter"];

    /// <summary>A new tool is a table and a word here.</summary>
    public static IReadOnlyList<ForeignTool> All { get; } = [LlamaFactory.Tool, LlamaFactoryV1.Tool, Axolotl.Tool, Torchtune.Tool];

    /// <summary>The translation of a file; null for one in our own format.</summary>
    /// <param name="place">Of the file; its folder is what paths in the file are relative to.</param>
    /// <exception cref="ConfigException">It is of no use here, or of two kinds at once.</exception>
    public static Translation? Translate(string text, Place place)
    {
        var problems = new Problems();
        if (YamlTree.Read(text, place.Source, place.Folder, problems) is not MapNode file) return null;
        var ours = file.Entries.FirstOrDefault(entry => OurSections.Contains(entry.Key) && entry.Value is MapNode && !Torchtune.HasComponents(entry.Value));
        var tools = All.Select(tool => (Tool: tool, Mark: tool.Mark(file)))
            .Where(found => found.Mark is not null).ToList();
        if (tools.Count == 0)
        {
            if (ours is null) RefuseOthers(file, problems);
            return null;
        }
        if (tools.Count > 1 && ours is null)
            problems.Add(tools[1].Mark!.Place, Mixture(tools[0].Tool.Name, tools[0].Mark!, tools[1].Tool.Name, tools[1].Mark!));
        if (ours is not null) problems.Add(ours.Place, Mixture(tools[0].Tool.Name, tools[0].Mark!, "LlmTune", ours));
        problems.ThrowIfAny();
        return Draft.Translate(tools[0].Tool, (MapNode)AsYaml11(file));
    }

    private static string Mixture(string first, MapEntry one, string second, MapEntry other) =>
        $"'{other.Key}' belongs to a run file of {second}, but '{one.Key}' in line {one.Place.Line} to one of {first}; a file is of one kind";

    /// <summary>Files that lie beside run files and are given by mistake.</summary>
    private static void RefuseOthers(MapNode file, Problems problems)
    {
        const string Accelerate = "is the configuration of accelerate, which starts programs on several devices; a run needs none here: "
            + "give the run file itself";
        if (file.Entries.FirstOrDefault(entry => entry.Key is "distributed_type" or "compute_environment") is { } launch)
            problems.Add(launch.Place, $"{launch.Key}: this {Accelerate}");
        else if (file.Entries.Count > 0 && file.Entries.All(entry => Marked().IsMatch(entry.Key) && entry.Value is ScalarNode))
            problems.Add(file.Entries[0].Place,
                "this is a list of new tokens with descriptions (LLaMA-Factory's "
                + "new_special_tokens_config), no run file; adding tokens is not built");
        else if (file.Entries.Count > 0 && file.Entries.All(entry => entry.Value is MapNode set && (set["source"] ?? set["converter"]) is not null))
            problems.Add(file.Entries[0].Place,
                "this is a list of data sets (LLaMA-Factory v1's train_dataset), no run "
                + "file; name its files under data.sources of a run file");
        problems.ThrowIfAny();
    }

    /// <summary>These tools read YAML 1.1, where yes and off are truth values and 1_000 is a number.</summary>
    private static ConfigNode AsYaml11(ConfigNode node) => node switch
    {
        MapNode map => map with { Entries = [.. map.Entries.Select(entry => entry with { Value = AsYaml11(entry.Value) })] },
        ListNode list => list with { Items = [.. list.Items.Select(AsYaml11)] },
        ScalarNode { Quoted: false } scalar => scalar.Text switch
        {
            "yes" or "Yes" or "YES" or "on" or "On" or "ON" => scalar with { Text = "true" },
            "no" or "No" or "NO" or "off" or "Off" or "OFF" => scalar with { Text = "false" },
            var text when Grouped().IsMatch(text) => scalar with { Text = text.Replace("_", "", StringComparison.Ordinal) },
            _ => scalar,
        },
        _ => node,
    };

    [GeneratedRegex(@"^[-+]?[0-9][0-9]*(_[0-9]+)+\z")]
    private static partial Regex Grouped();

    [GeneratedRegex(@"^<.+>\z")]
    private static partial Regex Marked();
}
