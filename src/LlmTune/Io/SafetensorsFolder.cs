using System.Text.Json;

namespace LlmTune.Io;

/// <summary>
/// The weights of a model folder: <c>model.safetensors</c>, or shards named by <c>model.safetensors.index.json</c>. Where a tensor
/// lies is decided by the index; what a shard holds beyond it belongs to the folder too, as in transformers.
/// </summary>
public sealed class SafetensorsFolder : IDisposable
{
    private static readonly string[] Weights = [".safetensors", ".bin", ".pt", ".pth", ".gguf"];

    private readonly Dictionary<string, (SafetensorsFile File, string Name)> _places;   // by tensor: its file, and its name there
    private readonly IReadOnlyCollection<SafetensorsFile> _files;

    private SafetensorsFolder(string folder, IEnumerable<(string Tensor, SafetensorsFile File)> places)
        : this(folder, places.ToDictionary(place => place.Tensor, place => (place.File, place.Tensor), StringComparer.Ordinal))
    {
    }

    private SafetensorsFolder(string folder, Dictionary<string, (SafetensorsFile File, string Name)> places, IReadOnlyCollection<SafetensorsFile>? files = null)
    {
        Folder = folder;
        _places = places;
        _files = files ?? [.. places.Values.Select(place => place.File).Distinct()];
        Tensors = places.ToDictionary(place => place.Key, place => place.Value.File.Tensors[place.Value.Name] with { Name = place.Key }, StringComparer.Ordinal);
        TotalBytes = Tensors.Values.Sum(tensor => tensor.Bytes);
    }

    public string Folder { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Of all tensors.</summary>
    public long TotalBytes { get; }

    /// <param name="baseName">What the files are called: model, adapter_model.</param>
    /// <param name="mayLack">Tensors that the index may name without their being there; null: none.</param>
    /// <exception cref="RequestException">No such folder, or no weights in it.</exception>
    /// <exception cref="RunException">Index and shards do not fit together, or a file is damaged; the message lists every problem.</exception>
    public static SafetensorsFolder Open(string folder, string baseName = "model", Func<string, bool>? mayLack = null)
    {
        if (!Directory.Exists(folder)) throw new RequestException($"{folder} does not exist, or is no folder");
        var single = Path.Combine(folder, baseName + ".safetensors");
        if (File.Exists(single))
        {
            var file = SafetensorsFile.Open(single);
            return new SafetensorsFolder(folder, file.Tensors.Keys.Select(name => (name, file)));
        }
        return OpenShards(folder, FindIndex(folder, baseName), mayLack ?? (_ => false));
    }

    /// <summary>The same tensors under other names; it takes the place of this object, which is not to be used any more.</summary>
    /// <param name="rename">A tensor's new name; no two may get the same one.</param>
    public SafetensorsFolder Renamed(Func<string, string> rename) =>
        new(Folder, _places.ToDictionary(place => rename(place.Key), place => place.Value, StringComparer.Ordinal), _files);

    /// <summary>These tensors and no others; it takes the place of this object, which is not to be used any more.</summary>
    public SafetensorsFolder Only(IReadOnlySet<string> names) =>
        new(Folder, _places.Where(place => names.Contains(place.Key)).ToDictionary(StringComparer.Ordinal), _files);

    /// <summary>A tensor over the mapped file; see <see cref="SafetensorsFile.Alias"/>.</summary>
    public Tensor Alias(string name)
    {
        var (file, stored) = Place(name);
        return file.Alias(stored);
    }

    /// <inheritdoc cref="SafetensorsFile.Forget"/>
    public void Forget(string name)
    {
        var (file, stored) = Place(name);
        file.Forget(stored);
    }

    /// <summary>The path of the file that holds a tensor.</summary>
    public string FileOf(string name) => Place(name).File.Path;

    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
    }

    private (SafetensorsFile File, string Name) Place(string name) =>
        _places.TryGetValue(name, out var place) ? place : throw new RunException($"{Folder} has no tensor '{name}'");

    private static string FindIndex(string folder, string baseName)
    {
        var index = Path.Combine(folder, baseName + ".safetensors.index.json");
        if (File.Exists(index)) return index;
        var others = Directory.GetFiles(folder, "*.safetensors.index.json");
        if (others.Length == 1) return others[0];
        var found = Directory.GetFiles(folder).Select(Path.GetFileName)
            .Where(file => Weights.Contains(Path.GetExtension(file)) || others.Any(other => Path.GetFileName(other) == file))
            .Order(StringComparer.Ordinal).ToList();
        throw new RequestException(
            $"{folder} has no weights: neither {baseName}.safetensors nor {baseName}.safetensors.index.json"
            + (found.Count == 0 ? "" : $"; there is {string.Join(", ", found)}, and only safetensors under these names are read")
            + (OtherForms.Describe(folder) is { } other ? $". It holds {other}" : ""));
    }

    private static SafetensorsFolder OpenShards(string folder, string index, Func<string, bool> mayLack)
    {
        var map = ReadIndex(index);
        var problems = new List<string>();
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        try
        {
            foreach (var name in map.Values.Distinct().Order(StringComparer.Ordinal))
            {
                if (OpenShard(folder, name, problems) is { } shard) shards.Add(name, shard);
            }
            foreach (var (tensor, name) in map.ToList())
            {
                if (!shards.TryGetValue(name, out var shard) || shard.Tensors.ContainsKey(tensor)) continue;
                if (mayLack(tensor)) map.Remove(tensor);
                else problems.Add($"{name} lacks {tensor}");
            }
            var unlisted = (
                from shard in shards.Values
                from tensor in shard.Tensors.Keys
                where !map.ContainsKey(tensor)
                select (Tensor: tensor, Shard: shard)).ToList();
            problems.AddRange(
                from place in unlisted
                group Path.GetFileName(place.Shard.Path) by place.Tensor into places
                where places.Count() > 1
                select $"{places.Key} is in several shards ({string.Join(", ", places)}), and the index does not say which counts");
            if (problems.Count > 0)
                throw new RunException($"{index} and its shards do not fit together:{string.Concat(problems.Select(problem => "\n  " + problem))}");
            return new SafetensorsFolder(folder, map.Select(place => (place.Key, shards[place.Value])).Concat(unlisted));
        }
        catch
        {
            foreach (var shard in shards.Values) shard.Dispose();
            throw;
        }
    }

    private static SafetensorsFile? OpenShard(string folder, string name, List<string> problems)
    {
        if (Path.GetFileName(name) != name || name is "" or "." or "..")
        {
            problems.Add($"'{name}' is no file name: shards lie beside the index");
            return null;
        }
        try
        {
            return SafetensorsFile.Open(Path.Combine(folder, name));
        }
        catch (Exception e) when (e is RequestException or RunException)
        {
            problems.Add(e.Message.Replace("\n", "\n  ", StringComparison.Ordinal));
            return null;
        }
    }

    private static Dictionary<string, string> ReadIndex(string index)
    {
        try
        {
            var root = JsonFile.Read(index);
            var map = new Dictionary<string, string>(StringComparer.Ordinal);
            if (root.ValueKind != JsonValueKind.Object
                || !root.TryGetProperty("weight_map", out var places) || places.ValueKind != JsonValueKind.Object)
                throw new RunException($"{index} has no weight_map, which names the file of each tensor");
            foreach (var place in places.EnumerateObject())
            {
                if (place.Value.ValueKind != JsonValueKind.String)
                    throw new RunException($"{index}: weight_map.{place.Name} must be the name of a file");
                map[place.Name] = place.Value.GetString()!;
            }
            return map.Count > 0 ? map : throw new RunException($"{index} has an empty weight_map");
        }
        catch (InvalidOperationException e)   // text that is not Unicode
        {
            throw new RunException($"{index} is not JSON: {e.Message}", e);
        }
    }
}
