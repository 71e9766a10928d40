using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace LlmTune.Config;

/// <summary>An immutable map of names to texts that is equal to another by its entries.</summary>
public sealed class ValueDictionary(IEnumerable<KeyValuePair<string, string>> entries)
    : IReadOnlyDictionary<string, string>, IEquatable<ValueDictionary>
{
    private readonly FrozenDictionary<string, string> _entries = entries.ToFrozenDictionary();

    public string this[string key] => _entries[key];

    public int Count => _entries.Count;

    public IEnumerable<string> Keys => _entries.Keys.Order(StringComparer.Ordinal);

    public IEnumerable<string> Values => Keys.Select(key => _entries[key]);

    public bool ContainsKey(string key) => _entries.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value) => _entries.TryGetValue(key, out value);

    public bool Equals(ValueDictionary? other) =>
        other is not null && Count == other.Count && _entries.All(entry => other.TryGetValue(entry.Key, out var value) && value == entry.Value);

    public override bool Equals(object? obj) => Equals(obj as ValueDictionary);

    public override int GetHashCode() => _entries.Aggregate(Count, (hash, entry) => hash ^ HashCode.Combine(entry.Key, entry.Value));

    public override string ToString() => $"{{{string.Join(", ", this.Select(entry => $"{entry.Key}: {entry.Value}"))}}}";

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() =>
        Keys.Select(key => KeyValuePair.Create(key, _entries[key])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
