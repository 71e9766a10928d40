using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>An immutable JSON object that is equal to another by its text.</summary>
public sealed class ValueTree(JsonObject values) : IEquatable<ValueTree>
{
    private readonly string _text = values.ToJsonString();

    public static ValueTree Empty { get; } = new([]);

    public bool Has(string name) => values.ContainsKey(name);

    /// <summary>A copy of its own.</summary>
    public JsonObject ToJson() => values.DeepClone().AsObject();

    public bool Equals(ValueTree? other) => other is not null && other._text == _text;

    public override bool Equals(object? obj) => Equals(obj as ValueTree);

    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => _text;
}
