using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using LlmTune.Io;
using LlmTune.Models;

namespace LlmTune.Tests;

/// <summary>Reading of cases that several areas share: rows of ids, tensors, models; and the account of what has been compared.</summary>
public sealed class GoldenCase : IDisposable
{
    private readonly HashSet<string> _fields;
    private readonly HashSet<string> _tensors;
    private readonly SafetensorsFile? _expected;
    private readonly SafetensorsFile? _inputs;

    public GoldenCase(string area, string folder)
    {
        Area = area;
        Folder = folder;
        Json = Golden.Read(folder);
        _fields = [.. Json.EnumerateObject().Select(field => field.Name)];
        _expected = OpenIfThere("expected.safetensors");
        _inputs = OpenIfThere("inputs.safetensors");
        _tensors = [.. _expected?.Tensors.Keys ?? []];
    }

    public string Area { get; }

    public string Folder { get; }

    public JsonElement Json { get; }

    public string Name => Text("case");

    public IEnumerable<string> TensorNames => _expected?.Tensors.Keys ?? [];

    /// <summary>A field, which counts as understood.</summary>
    public JsonElement Field(string name)
    {
        _fields.Remove(name);
        return Json.GetProperty(name);
    }

    public bool Has(string name) => Json.TryGetProperty(name, out _);

    public string Text(string name) => Field(name).GetString()!;

    /// <summary>Fields that describe and need no comparison.</summary>
    public void Described(params string[] names) => _fields.ExceptWith(names);

    /// <summary>Tensors that say what another library does and that are not expected of this one.</summary>
    public void Understood(params IEnumerable<string> names) => _tensors.ExceptWith(names);

    /// <summary>An expected tensor, which counts as understood; a copy on the CPU.</summary>
    public Tensor Expected(string name)
    {
        _tensors.Remove(name);
        return _expected!.Alias(name).clone();
    }

    public bool HasTensor(string name) => _expected?.Tensors.ContainsKey(name) is true;

    public Tensor Input(string name) => _inputs!.Alias(name).clone();

    /// <summary>A path of the case, relative to its folder; a remark in brackets may follow it.</summary>
    public string PathOf(string field)
    {
        var path = Path.GetFullPath(Path.Combine(Folder, Text(field)));
        return Path.Exists(path) ? path : path[..Math.Max(path.LastIndexOf(" (", StringComparison.Ordinal), 0)];
    }

    /// <summary>The tokenizer that the case names, or the one beside its model or in its folder.</summary>
    public string TokenizerPath =>
        Has("tokenizer") ? PathOf("tokenizer") : Path.Combine(PathOf("model"), "..", "tokenizer") is var beside && Directory.Exists(beside) ? beside : PathOf("model");

    /// <summary>Skips the case because the program refuses what it needs, in the words of the program without the place.</summary>
    [DoesNotReturn]
    public void Skip(Exception refusal) => Golden.Skip(Area, refusal.Message[(refusal.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..]);

    /// <summary>Fails if anything of the case has not been looked at.</summary>
    public void Finish()
    {
        Assert.True(_fields.Count == 0, $"{Name}: fields that no test understands: {string.Join(", ", _fields)}");
        Assert.True(_tensors.Count == 0, $"{Name}: tensors that no test understands: {string.Join(", ", _tensors.Take(8))}");
        Golden.Ran(Area);
    }

    /// <summary>The model of the case, or null after skipping it as not built.</summary>
    public ModelFolder OpenModel(string folder)
    {
        try
        {
            return ModelFolder.Open(folder);
        }
        catch (UnsupportedModelException e)
        {
            Skip(e);
            throw;
        }
    }

    public void Dispose()
    {
        _expected?.Dispose();
        _inputs?.Dispose();
    }

    private SafetensorsFile? OpenIfThere(string file) =>
        File.Exists(Path.Combine(Folder, file)) ? SafetensorsFile.Open(Path.Combine(Folder, file)) : null;
}

/// <summary>Padded rows of ids with labels, turned into documents; and padded tensors of results turned into rows of tokens.</summary>
public sealed class PaddedRows
{
    private PaddedRows(int[][] ids, bool[][] real, int[][]? labels, int[][] positions)
    {
        Width = ids[0].Length;
        Bounds = [0, .. ids.Select((_, r) => real[..(r + 1)].Sum(row => row.Count(x => x)))];
        Ids = [.. ids.SelectMany((row, r) => row.Where((_, t) => real[r][t]))];
        Positions = [.. positions.SelectMany((row, r) => row.Where((_, t) => real[r][t]))];
        Flat = [.. ids.SelectMany((row, r) => Enumerable.Range(0, row.Length).Where(t => real[r][t]).Select(t => (long)r * Width + t))];
        var predicting = new List<int>();
        var targets = new List<int>();
        var index = -1;
        for (var r = 0; r < ids.Length; r++)
        {
            for (var t = 0; t < Width; t++)
            {
                if (!real[r][t]) continue;
                index++;
                if (labels is null || t + 1 >= Width || labels[r][t + 1] == -100) continue;
                predicting.Add(index);
                targets.Add(labels[r][t + 1]);
            }
        }
        (Predicting, Targets) = ([.. predicting], [.. targets]);
    }

    public int Width { get; }

    public int[] Ids { get; }

    public int[] Positions { get; }

    public int[] Bounds { get; }

    public int[] Predicting { get; }

    public int[] Targets { get; }

    /// <summary>Places of real tokens in (rows · width).</summary>
    public long[] Flat { get; }

    /// <summary>All columns, padding included, as one sequence of tokens: what a library computes that does not skip padding.</summary>
    public static (int[] Ids, bool[] Real, int[] Predicting, int[] Targets, int Rows, int Width) Whole(JsonElement block)
    {
        var ids = Rows(block, "input_ids")!;
        var mask = Rows(block, "attention_mask")!;
        var labels = Rows(block, "labels")!;
        var width = ids[0].Length;
        var places = Enumerable.Range(0, ids.Length).SelectMany(r => Enumerable.Range(0, width - 1).Where(t => labels[r][t + 1] != -100).Select(t => (r, t))).ToArray();
        return (
            [.. ids.SelectMany(row => row)], [.. mask.SelectMany(row => row.Select(m => m == 1))],
            [.. places.Select(p => p.r * width + p.t)], [.. places.Select(p => labels[p.r][p.t + 1])], ids.Length, width);
    }

    /// <param name="block">An object with input_ids, attention_mask, labels and perhaps position_ids.</param>
    public static PaddedRows Read(JsonElement block)
    {
        var ids = Rows(block, "input_ids")!;
        var mask = Rows(block, "attention_mask") ?? [.. ids.Select(row => row.Select(_ => 1).ToArray())];
        var positions = Rows(block, "position_ids") ?? [.. ids.Select(row => Enumerable.Range(0, row.Length).ToArray())];
        return new PaddedRows(ids, [.. mask.Select(row => row.Select(m => m == 1).ToArray())], Rows(block, "labels"), positions);
    }

    /// <summary>(rows, width, …) → (T, …) of the real tokens.</summary>
    public Tensor Real(Tensor padded)
    {
        var flat = padded.reshape([padded.shape[0] * padded.shape[1], .. padded.shape[2..]]);
        return flat.index_select(0, tensor(Flat, ScalarType.Int64));
    }

    private static int[][]? Rows(JsonElement block, string name) => !block.TryGetProperty(name, out var rows)
        ? null
        : [.. rows.EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetInt32()).ToArray())];
}
