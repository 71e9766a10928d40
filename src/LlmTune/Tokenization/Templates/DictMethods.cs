using System.Collections.Frozen;

namespace LlmTune.Tokenization.Templates;

/// <summary>Methods of dicts that change nothing.</summary>
internal static class DictMethods
{
    /// <summary>What the immutable sandbox refuses.</summary>
    public static readonly FrozenSet<string> Unsafe = FrozenSet.Create("clear", "pop", "popitem", "setdefault", "update");

    public static readonly FrozenDictionary<string, Function> Table = new Function[]
    {
        new("get", ["self", "key", "default"], 2, (r, a) => Get((PyDict)a[0]!, a[1], a.Or(2, null))),
        new("items", ["self"], 1, (r, a) => new PyView((PyDict)a[0]!, "items")),
        new("keys", ["self"], 1, (r, a) => new PyView((PyDict)a[0]!, "keys")),
        new("values", ["self"], 1, (r, a) => new PyView((PyDict)a[0]!, "values")),
        new("copy", ["self"], 1, (r, a) => Copy((PyDict)a[0]!, r)),
    }.ToFrozenDictionary(f => f.Name);

    private static object? Get(PyDict dict, object? key, object? otherwise)
    {
        if (!PyDict.IsHashable(key)) throw new Fault($"unhashable type: '{Py.TypeName(key)}'");
        return dict.TryGet(key, out var value) ? value : otherwise;
    }

    private static PyDict Copy(PyDict dict, Rendering r)
    {
        r.Charge(dict.Count);
        var copy = new PyDict(dict.Count);
        foreach (var (key, value) in dict) copy.Set(key, value);
        return copy;
    }
}
