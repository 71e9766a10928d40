using System.Text.RegularExpressions;
using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>Values of a file that refer to others of it, as OmegaConf writes them: <c>${output_dir}/logs</c>.</summary>
internal static partial class References
{
    private const int Deepest = 8;

    /// <summary>The file with what they refer to in their places; what is not there is a problem.</summary>
    public static MapNode Fill(MapNode file, Problems problems) => (MapNode)Fill(file, file, problems);

    private static ConfigNode Fill(ConfigNode node, MapNode file, Problems problems) => node switch
    {
        MapNode map => map with { Entries = [.. map.Entries.Select(entry => entry with { Value = Fill(entry.Value, file, problems) })] },
        ListNode list => list with { Items = [.. list.Items.Select(item => Fill(item, file, problems))] },
        ScalarNode scalar => Fill(scalar, file, problems),
        _ => node,
    };

    /// <summary>A value that is referred to may refer to others.</summary>
    private static ScalarNode Fill(ScalarNode scalar, MapNode file, Problems problems)
    {
        var text = scalar.Text;
        for (var depth = 0; depth < Deepest && Reference().IsMatch(text); depth++)
        {
            text = Reference().Replace(text, reference =>
            {
                if (Find(file, reference.Groups["path"].Value) is { } target) return target.Text;
                if (depth == 0) problems.Add(scalar.Place, $"{reference.Value} refers to what is not in the file; write the value itself");
                return reference.Value;
            });
        }
        return scalar with { Text = text };
    }

    private static ScalarNode? Find(MapNode file, string path)
    {
        ConfigNode? node = file;
        foreach (var key in path.Split('.')) node = (node as MapNode)?[key];
        return node as ScalarNode;
    }

    [GeneratedRegex(@"\$\{(?<path>[^{}]*)\}")]
    private static partial Regex Reference();
}
