using LlmTune.Config;
using LlmTune.Recipes;
using LlmTune.Recipes.OtherTools;

namespace LlmTune.Tests.Recipes.OtherTools;

/// <summary>Run files of other tools in tests, as if the program ran in the folder /run.</summary>
internal static class Theirs
{
    public const string Folder = "/run";

    public static Translation Translate(string yaml, string folder = Folder) =>
        ForeignTools.Translate(yaml, new Place("theirs.yaml", folder)) ?? throw new InvalidOperationException("it was taken for one of ours");

    public static RunConfig Config(string yaml, params string[] overrides) => Translate(yaml).Config(overrides);

    /// <summary>What is wrong, a line each.</summary>
    public static string Problems(string yaml) => Assert.Throws<ConfigException>(() => Translate(yaml).Config()).Message;

    /// <summary>The same run as a file of ours in the same folder.</summary>
    public static RunConfig Ours(string yaml) => ConfigFile.Parse<RunConfig>(yaml, $"{Folder}/ours.yaml");

    /// <summary>The keys of a file, those of sections and lists that were looked into one by one.</summary>
    public static void EveryKeyOnce(string yaml, Translation translation)
    {
        var keys = translation.Keys.Where(key => !key.IsDefault).Select(key => key.Key).ToList();
        Assert.Equal(keys.Distinct(), keys);
        var tree = (MapNode)YamlTree.Read(yaml, "theirs.yaml", Folder, new LlmTune.Config.Problems());
        foreach (var entry in tree.Entries)
        {
            var below = keys.Where(key => key == entry.Key || key.StartsWith(entry.Key + ".", StringComparison.Ordinal)).ToList();
            if (below is [var only] && only == entry.Key) continue;
            Assert.Equal(Leaves(entry.Value, entry.Key).Order(), below.Order());
        }
        Assert.All(keys, key => Assert.Contains(tree.Entries, entry => key == entry.Key || key.StartsWith(entry.Key + ".", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Leaves(ConfigNode node, string path) => node switch
    {
        ListNode list => list.Items.SelectMany((item, i) => ((MapNode)item).Entries.Select(entry => $"{path}.{i}.{entry.Key}")),
        MapNode map => map.Entries.Select(entry => $"{path}.{entry.Key}"),
        _ => [path],
    };
}
