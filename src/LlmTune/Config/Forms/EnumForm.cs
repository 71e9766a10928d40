using System.Reflection;
using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>One of several names; <c>true</c> and <c>false</c> may be among them.</summary>
internal sealed class EnumForm(Type type) : Form
{
    private readonly Dictionary<string, object> _values = type.GetFields(BindingFlags.Public | BindingFlags.Static)
        .Where(field => field.GetCustomAttribute<KeyAttribute>() is not null)
        .ToDictionary(field => field.GetCustomAttribute<KeyAttribute>()!.Name, field => field.GetValue(null)!);

    public override string Expected => Suggest.Either([.. _values.Keys]);

    public override object Read(ConfigNode node, Reading reading)
    {
        if (node is not ScalarNode scalar || scalar.Kind == ScalarKind.Null) throw Mismatch(node);
        var name = scalar.Kind == ScalarKind.Bool ? scalar.Text.ToLowerInvariant() : scalar.Text;
        return _values.TryGetValue(name, out var value) ? value
            : throw Mismatch(node, reading.Glossary?.OfValue(reading.Path, name) ?? Suggest.Hint(Suggest.Nearest(name, _values.Keys)));
    }

    public override ConfigNode Write(object value) => ScalarNode.Plain(_values.First(pair => pair.Value.Equals(value)).Key);

    public override JsonObject Schema() =>
        new() { ["enum"] = new JsonArray([.. _values.Keys.Select(name => NodeText.ToJson(ScalarNode.Plain(name)))]) };
}
