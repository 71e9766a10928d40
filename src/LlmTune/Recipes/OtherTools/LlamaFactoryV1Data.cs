using LlmTune.Config;
using LlmTune.Data.Sources;

namespace LlmTune.Recipes.OtherTools;

/// <summary>The data of LLaMA-Factory v1: a file of rows, or a YAML file that describes data sets.</summary>
internal static class LlamaFactoryV1Data
{
    /// <summary>The form of rows that no converter makes.</summary>
    private const string Own = "messages";

    /// <param name="ours">The list that the sets become.</param>
    public static Rule Rule(string ours) => (draft, entry) =>
    {
        var path = Path.Combine(draft.Place.Folder, entry.Text);
        if (!Path.Exists(path))
            draft.Refuse(entry, $"is not there ({path}), and nothing is downloaded");
        else if (Path.GetExtension(path) is not (".yaml" or ".yml"))
            draft.Became(entry, ours, new ListNode(entry.Value.Place, [Rows(entry.Value)]));
        else
            Describe(draft, entry, ours, path);
    };

    /// <summary>A file of rows as the tool itself has them.</summary>
    private static MapNode Rows(ConfigNode path) =>
        new(path.Place, [new MapEntry("path", path.Place, path), new MapEntry("format", path.Place, new ScalarNode(path.Place, Own, Quoted: false))]);

    /// <summary>Each entry of the description becomes a source; what is wrong is said with its place there.</summary>
    private static void Describe(Draft draft, ForeignEntry entry, string ours, string path)
    {
        var problems = new Problems();
        if (YamlTree.Read(File.ReadAllText(path), entry.Text, draft.Place.Folder, problems) is not MapNode sets)
        {
            draft.Refuse(entry, "describes no data sets");
            return;
        }
        List<ConfigNode> sources = [];
        foreach (var set in sets.Entries)
        {
            if (set.Value is MapNode map)
                sources.Add(new MapNode(set.Place, [.. Source(draft, set, map), Label(set)]));
            else draft.Problem(set.Place, $"{set.Key} must be a section with a path");
        }
        draft.Became(entry, ours, new ListNode(entry.Value.Place, sources));
    }

    private static MapEntry Label(MapEntry set) => new("label", set.Place, ScalarNode.Of(set.Key) with { Place = set.Place });

    private static IEnumerable<MapEntry> Source(Draft draft, MapEntry set, MapNode map)
    {
        void Refuse(MapEntry key, string why) => draft.Problem(key.Place, $"{set.Key}.{key.Key} {why}");

        if (map["source"] is not ScalarNode { Text: "local" })
            Refuse(set with { Key = "source" }, "is not local, and nothing is downloaded; fetch the rows and name their file");
        foreach (var key in map.Entries)
        {
            var text = (key.Value as ScalarNode)?.Text ?? "";
            switch (key.Key)
            {
                case "path":
                    yield return new MapEntry("path", key.Place, key.Value);
                    break;
                case "converter" when text is "alpaca" or "sharegpt":
                    yield return new MapEntry("format", key.Place, key.Value);
                    break;
                case "converter" when text == "pair":
                    Refuse(key, $"is pair: {Reasons.Preference}");
                    break;
                case "size":
                    yield return new MapEntry("limit", key.Place, key.Value);
                    draft.Note($"{set.Key}: the first {text} rows, where LLaMA-Factory v1 draws as many at random");
                    break;
                case "split" when text == "train" || FileKind.Of((map["path"] as ScalarNode)?.Text ?? "") is not null:
                case "source" or "streaming":
                    break;
                case "split":
                    yield return new MapEntry("split", key.Place, key.Value);
                    break;
                default:
                    Refuse(key, "is not translated; leave it out");
                    break;
            }
        }
        if (map["converter"] is null) yield return new MapEntry("format", set.Place, new ScalarNode(set.Place, Own, Quoted: false));
    }
}
