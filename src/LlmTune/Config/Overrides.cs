using System.Globalization;

namespace LlmTune.Config;

/// <summary>Settings from the command line: <c>adapter.r=8 data.sources.0.weight=2 learning_rate=1e-5</c>.</summary>
internal static class Overrides
{
    /// <summary>The tree with one assignment written into it; what it says is checked with the rest.</summary>
    public static ConfigNode Apply(ConfigNode root, string assignment, SectionForm form, Problems problems)
    {
        var place = new Place($"{assignment} (command line)", Directory.GetCurrentDirectory());
        var (name, text) = assignment.IndexOf('=', StringComparison.Ordinal) is > 0 and var at
            ? (assignment[..at].Trim(), assignment[(at + 1)..])
            : (null, "");
        if (name is null)
        {
            problems.Add(place, "a setting is changed by key=value, as in adapter.r=8");
            return root;
        }
        var value = text.Trim() == "-" ? new ScalarNode(place, "-", Quoted: true) : YamlTree.ReadValue(text, place, problems);   // "-" is standard input
        if (text.Trim().Length == 0) value = new ScalarNode(place, "", Quoted: false);
        if (FullName(name, value, form, out var unknown) is not { } path)
        {
            problems.Add(place, unknown);
            return root;
        }
        try
        {
            return Set(root, "", path.Split('.'), value);
        }
        catch (ConfigValueException e)
        {
            problems.Add(place, e.Problem);
            return root;
        }
    }

    /// <summary>How an option of another program is written as a setting: <c>learning_rate=1e-4</c>; null where it is none.</summary>
    /// <param name="name">Without dashes in front.</param>
    /// <param name="value">Empty where none is given.</param>
    /// <returns>What follows the name, with its separator.</returns>
    public static string? OfOption(string name, string value, SectionForm form)
    {
        var node = new ScalarNode(Place.None, value.Length == 0 ? "true" : value, Quoted: false);   // an option alone is a switch
        name = name.Replace('-', '_');
        var shown = value.Length == 0 ? "…" : value;
        if (FullName(name, node, form, out _) is { } path && Exists(path, form)) return $"; settings are written without dashes: {name}={shown}";
        if (form.Glossary?.OfKey(new UnknownName("", name, node, IsOverride: true)) is { } told) return told;
        return form.Settings("").Where(setting => setting.Leaf == name && !setting.IsSection).Select(setting => setting.Path).ToList() is [var only]
            ? $"; settings are written without dashes: {only}={shown}" : null;
    }

    private static bool Exists(string path, SectionForm form) => form.Settings("").Any(setting => setting.Path == path && !setting.IsSection);

    /// <summary>A key of the top, a full name, or the own name of a setting in the section that allows it.</summary>
    private static string? FullName(string name, ConfigNode value, SectionForm form, out string unknown)
    {
        unknown = "";
        if (name.Contains('.', StringComparison.Ordinal) || form.Keys.Any(setting => setting.Key == name)) return name;
        var shortest = form.Keys.FirstOrDefault(setting => setting.ShortOverrides);
        if (shortest?.Form is SectionForm section && section.Keys.Any(setting => setting.Key == name)) return Paths.Join(shortest.Key, name);

        unknown = $"unknown setting '{name}'";
        if (form.Glossary?.OfKey(new UnknownName("", name, value, IsOverride: true)) is { } told)
        {
            unknown += told;
            return null;
        }
        var all = form.Settings("").ToList();
        var elsewhere = all.Where(setting => setting.Leaf == name).Select(setting => $"'{setting.Path}'").ToList();
        var alone = all.Where(setting => setting.Section.Length == 0 || setting.Section == shortest?.Key);
        unknown += (elsewhere.Count > 0
            ? $", did you mean {Suggest.Either(elsewhere)}?"
            : Suggest.Hint(Suggest.Nearest(name, alone.Select(setting => setting.Leaf)) ?? Nearest(name, all)));
        return null;
    }

    private static string? Nearest(string name, List<SettingInfo> settings) =>
        Suggest.Nearest(name, settings.Select(setting => setting.Leaf)) is { } leaf ? settings.First(setting => setting.Leaf == leaf).Path : null;

    private static ConfigNode Set(ConfigNode? node, string path, ReadOnlySpan<string> keys, ConfigNode value)
    {
        if (keys.IsEmpty) return value;
        var below = Paths.Join(path, keys[0]);
        if (node is ListNode list || (node is null && keys[0] == "0"))
        {
            List<ConfigNode> items = node is ListNode written ? [.. written.Items] : [];
            if (!int.TryParse(keys[0], NumberStyles.None, CultureInfo.InvariantCulture, out var index) || index > items.Count)
            {
                throw new ConfigValueException(
                    $"{path} is a list of {items.Count}; name an entry by its number from 0, or {items.Count} for a new one");
            }
            if (index == items.Count) items.Add(Set(null, below, keys[1..], value));
            else items[index] = Set(items[index], below, keys[1..], value);
            return new ListNode(node?.Place ?? value.Place, items);
        }
        var map = node as MapNode ?? new MapNode(value.Place, []);
        return map.With(new MapEntry(keys[0], value.Place, Set(map[keys[0]], below, keys[1..], value)));
    }
}
