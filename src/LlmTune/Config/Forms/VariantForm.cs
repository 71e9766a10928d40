using System.Reflection;
using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>A section that is one of several records, chosen by its <c>type:</c>.</summary>
internal sealed class VariantForm(Type type) : Form
{
    private const string Key = "type";

    private readonly Dictionary<string, (Type Record, SectionForm Form)> _variants = type.GetCustomAttributes<VariantAttribute>(inherit: false)
        .ToDictionary(variant => variant.Type, variant => (variant.Record, new SectionForm(variant.Record, (Key, variant.Type))));

    public override string Expected => $"a section with type {Suggest.Either([.. _variants.Keys])}";

    public SectionForm Of(object value) => _variants.Values.First(variant => variant.Record == value.GetType()).Form;

    public override object? Read(ConfigNode node, Reading reading)
    {
        if (node is ScalarNode { IsEmpty: true }) node = new MapNode(node.Place, []);
        if (node is not MapNode map)
        {
            var meant = (node as ScalarNode)?.Text ?? "";
            var hint = _variants.ContainsKey(meant) ? $"; write {{ type: {meant} }}" : reading.Glossary?.OfValue(Paths.Join(reading.Path, Key), meant);
            throw Mismatch(node, hint ?? "");
        }
        return Chosen(map[Key], reading).Read(map, reading);
    }

    public override ConfigNode Write(object value) => Of(value).Write(value);

    public override JsonObject Schema()
    {
        var schemas = _variants.Values.Select(variant => (JsonNode)variant.Form.Schema()).ToArray();
        return schemas is [JsonObject only] ? only : new JsonObject { ["anyOf"] = new JsonArray(schemas) };
    }

    public override IEnumerable<SettingInfo> Settings(string path)
    {
        yield return new SettingInfo(
            Paths.Join(path, Key), Suggest.Either([.. _variants.Keys]), _variants.Keys.First(), null, Required: false, "which kind", IsSection: false);
        var all = _variants.Values.SelectMany(variant => variant.Form.Settings(path));
        foreach (var setting in all.DistinctBy(setting => setting.Path)) yield return setting;
    }

    /// <summary>A misspelt type is reported, and what was meant is read, so that the rest is checked too.</summary>
    private SectionForm Chosen(ConfigNode? node, Reading reading)
    {
        var first = _variants.Values.First().Form;
        if (node is null) return first;
        var name = (node as ScalarNode)?.Text ?? "";
        if (_variants.TryGetValue(name, out var variant)) return variant.Form;
        var meant = Suggest.Nearest(name, _variants.Keys);
        var hint = reading.Glossary?.OfValue(Paths.Join(reading.Path, Key), name) ?? Suggest.Hint(meant);
        reading.At(Key).Report(node.Place, $"must be {Suggest.Either([.. _variants.Keys])}, got {node.Described}{hint}");
        return meant is null ? first : _variants[meant].Form;
    }
}
