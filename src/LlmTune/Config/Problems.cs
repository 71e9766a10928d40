namespace LlmTune.Config;

/// <summary>Mistakes as they are found.</summary>
internal sealed class Problems
{
    private readonly List<ConfigProblem> _found = [];

    public int Count => _found.Count;

    public void Add(Place place, string message) => _found.Add(new ConfigProblem(place, message));

    /// <summary>In the order of the file, overrides last. An aliased value that is wrong in two places is named for both.</summary>
    public ConfigException ToException() =>
        new([.. _found.Distinct().OrderBy(p => p.Place.Line == 0).ThenBy(p => p.Place.Line).ThenBy(p => p.Place.Column)]);

    public void ThrowIfAny()
    {
        if (Count > 0) throw ToException();
    }
}

/// <summary>Names of settings from the top: <c>data.sources.0.weight</c>.</summary>
internal static class Paths
{
    public static string Join(string path, string key) => path.Length == 0 ? key : key.Length == 0 ? path : $"{path}.{key}";

    /// <summary><c> in adapter</c>; nothing at the top.</summary>
    public static string In(string path) => path.Length == 0 ? "" : $" in {path}";
}
