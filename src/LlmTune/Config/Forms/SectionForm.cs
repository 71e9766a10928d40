using System.Reflection;
using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>A record whose settings are the properties with a <see cref="KeyAttribute"/>.</summary>
/// <param name="type">The record; it has a constructor without parameters that leaves every default in place.</param>
/// <param name="discriminator">The key that chose this record among others, and its value there.</param>
internal sealed class SectionForm(Type type, (string Key, string Value)? discriminator = null) : Form
{
    private readonly Lazy<IReadOnlyList<Setting>> _settings = new(() => Setting.Of(type));

    private readonly Lazy<Glossary?> _glossary = new(() =>
        type.GetCustomAttribute<GlossaryAttribute>() is { } named ? (Glossary)Activator.CreateInstance(named.Glossary)! : null);

    public IReadOnlyList<Setting> Keys => _settings.Value;

    public (string Key, string Value)? Discriminator => discriminator;

    /// <summary>Of a root record; null where it names none.</summary>
    public Glossary? Glossary => _glossary.Value;

    public override string Expected => $"a section with {Suggest.Either([.. Names.Take(3)])}{(Keys.Count > 3 ? " …" : "")}";

    private IEnumerable<string> Names => Keys.Select(setting => setting.Key);

    public override object? Read(ConfigNode node, Reading reading)
    {
        if (node is ScalarNode { IsEmpty: true }) node = new MapNode(node.Place, []);
        if (node is not MapNode map)
        {
            if (reading.Path.Length > 0) throw Mismatch(node, Suggest.Write(Example(node)));
            reading.Report(node.Place, $"a run file consists of sections ({string.Join(", ", Names)}), got {node.Described}");
            return null;
        }

        var before = reading.ProblemCount;
        var section = New();
        foreach (var entry in map.Entries.Where(entry => entry.Key != discriminator?.Key))
        {
            if (Keys.FirstOrDefault(setting => setting.Key == entry.Key) is { } setting)
                ReadSetting(section, setting, entry.Value, reading.At(entry.Key));
            else
                reading.ReportPlain(entry.Place, Unknown(entry, reading));
        }
        foreach (var setting in Keys.Where(setting => setting.Required && map[setting.Key] is null))
            reading.ReportPlain(map.Place, $"{Paths.Join(reading.Path, setting.Key)} is missing: {setting.Doc.Text}");
        if (reading.ProblemCount > before) return section;

        // Defaults that follow from other settings are fixed here, so that what is written later reads back equal.
        foreach (var setting in Keys.Where(setting => map[setting.Key] is null)) setting.Set(section, setting.Get(section));
        foreach (var (name, problem) in (section as ISettingRules)?.Broken() ?? [])
            reading.ReportPlain(Find(map, name).Place, $"{Paths.Join(reading.Path, name)} {problem}");
        return section;
    }

    public override ConfigNode Write(object value)
    {
        var fresh = New();
        List<MapEntry> entries = discriminator is var (key, variant) ? [new(key, Place.None, ScalarNode.Of(variant))] : [];
        foreach (var setting in Keys)
        {
            var own = setting.Get(value);
            if (own is null && (setting.Required || setting.Get(fresh) is null)) continue;
            entries.Add(new MapEntry(setting.Key, Place.None, own is null ? ScalarNode.Null : setting.Form.Write(own)));
        }
        return new MapNode(Place.None, entries);
    }

    /// <summary>Without what is as it would be anyway.</summary>
    public MapNode WriteChanged(object value)
    {
        var defaults = (MapNode)Write(New());
        return new MapNode(Place.None,
        [
            .. from entry in ((MapNode)Write(value)).Entries
               let usual = defaults[entry.Key]
               where entry.Key == discriminator?.Key || usual is null || NodeText.Flow(entry.Value) != NodeText.Flow(usual)
               select entry,
        ]);
    }

    public override JsonObject Schema()
    {
        var fresh = New();
        var properties = new JsonObject();
        if (discriminator is var (key, value)) properties[key] = new JsonObject { ["const"] = value };
        foreach (var setting in Keys) properties[setting.Key] = setting.Schema(fresh);
        var schema = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
        if (Keys.Any(setting => setting.Required))
            schema["required"] = new JsonArray([.. Keys.Where(setting => setting.Required).Select(setting => (JsonNode)setting.Key)]);
        return schema;
    }

    public override IEnumerable<SettingInfo> Settings(string path)
    {
        var fresh = New();
        foreach (var setting in Keys)
        {
            var own = Paths.Join(path, setting.Key);
            yield return new SettingInfo(
                own,
                Values: setting.Form is EnumForm ? setting.Form.Expected : null,
                Default: setting.DefaultText(fresh),
                DefaultInWords: setting.Doc.Default,
                setting.Required,
                setting.Doc.Text,
                IsSection: setting.Form is SectionForm or VariantForm or ListForm { Item: SectionForm });
            foreach (var below in setting.Form.Settings(own)) yield return below;
        }
    }

    public object New() => Activator.CreateInstance(type)!;

    private static void ReadSetting(object section, Setting setting, ConfigNode node, Reading reading)
    {
        if (setting.IsNullable && node is ScalarNode { Kind: ScalarKind.Null } scalar)
        {
            if (scalar.IsEmpty && setting.Form is SectionForm or VariantForm)
                reading.Report(node.Place, "has nothing in it; leave the key out, write null, or write what belongs there");
            else
                setting.Set(section, null);
            return;
        }
        var before = reading.ProblemCount;
        var value = reading.Part(setting.Form, node);
        if (reading.ProblemCount > before) return;
        try
        {
            setting.Set(section, value);
        }
        catch (ConfigValueException e)
        {
            reading.Report(node.Place, e.Problem);
        }
    }

    /// <summary>A text alone is taken for the first setting, where that is one: <c>{ path: a.jsonl }</c>.</summary>
    public override string? Example(ConfigNode node) =>
        Keys[0].Form.Example(node) is { } first ? $"{{ {Keys[0].Key}: {first} }}" : null;

    private string Unknown(MapEntry entry, Reading reading)
    {
        var key = entry.Key;
        var known = $"unknown key '{key}'{Paths.In(reading.Path)}";
        if (reading.Glossary?.OfKey(new UnknownName(reading.Path, key, entry.Value, IsOverride: entry.Place.Line == 0)) is { } told) return known + told;
        var elsewhere = reading.Catalog.Where(info => info.Leaf == key).Select(info => info.Path).ToList();
        var meant = elsewhere is [var only] ? only : Suggest.Nearest(key, Names);
        return known + Suggest.Hint(meant);
    }

    /// <summary>The node of a setting below this section, or the nearest one around it.</summary>
    private static ConfigNode Find(ConfigNode node, string path)
    {
        foreach (var key in path.Split('.'))
        {
            if ((node as MapNode)?[key] is not { } below) break;
            node = below;
        }
        return node;
    }
}
