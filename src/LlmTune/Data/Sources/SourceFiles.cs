using System.Text.RegularExpressions;
using LlmTune.Io;

namespace LlmTune.Data.Sources;

/// <summary>Which files a path names: a file, a folder (with the folders in it), or a pattern of <c>*</c>, <c>?</c> and <c>**</c>.</summary>
public static partial class SourceFiles
{
    /// <summary>The standard input, as JSON Lines.</summary>
    public const string StandardInput = "-";

    /// <summary>What a single file is as a split.</summary>
    private const string OnlySplit = "train";

    /// <summary>The files in the order of their names.</summary>
    /// <param name="path">A path, or the id of a data set in the local Hugging Face cache.</param>
    /// <param name="split">Of several files the part to take: files or folders named <c>train</c>, <c>test-00000-of-00002</c> …</param>
    /// <exception cref="RequestException">Nothing is there, or nothing that can be read.</exception>
    public static IReadOnlyList<string> Find(string path, string? split = null)
    {
        if (!Path.Exists(path) && HubFolders.IsId(path)) path = Fetched(path);
        if (path == StandardInput || File.Exists(path))
        {
            if (split is not (null or OnlySplit)) throw new RequestException($"{path} is one file, which has no split '{split}'; name a folder, or leave 'split' out");
            return [path];
        }
        var pattern = path.AsSpan().IndexOfAny('*', '?') >= 0;
        if (!pattern && !Directory.Exists(path)) throw new RequestException($"{path} does not exist: expected a file, a folder, or a pattern with * or **");
        var files = (pattern ? Matching(path) : Below(path)).Where(f => FileKind.Of(f) is not null && !IsDescription(f))
            .Order(StringComparer.Ordinal).ToList();
        if (files.Count == 0) throw new RequestException($"{path} holds no data files ({FileKind.Extensions}, perhaps with .gz or .zst behind it)");
        return Split(files, path, split);
    }

    private static string Fetched(string id) => HubFolders.Snapshot(HubFolders.DataSets, id) ?? throw new RequestException(
        $"{id} is neither a file or folder here nor a data set in the local Hugging Face cache ({HubFolders.Folder(HubFolders.DataSets, id)}); "
        + $"fetch it first (hf download {id} --repo-type dataset), or give the path of a file or folder");

    private static List<string> Split(List<string> files, string path, string? split)
    {
        var byPart = files.ToLookup(f => PartOf(Path.GetRelativePath(Directory.Exists(path) ? path : ".", f)));
        if (split is not null)
        {
            var chosen = files.FindAll(f => Named(Path.GetRelativePath(Directory.Exists(path) ? path : ".", f), split));
            if (chosen.Count > 0) return chosen;
            var names = byPart.Select(g => g.Key).Where(k => k is not null).ToList();
            throw new RequestException($"{path} has no files named '{split}'; found {string.Join(", ", names.Count > 0 ? names : files.Take(3).Select(Path.GetFileName))}");
        }
        var parts = byPart.Select(g => g.Key).Where(k => k is not null).Order(StringComparer.Ordinal).ToList();
        if (parts.Contains("train") && parts.Count > 1)
            throw new RequestException($"{path} has files of the splits {string.Join(", ", parts)}; choose one with 'split', as in split: train");
        return files;
    }

    private static readonly string[] Parts = ["train", "test", "validation", "valid", "val", "dev", "eval"];

    private static string? PartOf(string name) => Array.Find(Parts, part => Named(name, part));

    /// <summary>Whether a word stands in a path on its own: <c>data/train/x.json</c>, <c>train-00000-of-00002.parquet</c>.</summary>
    private static bool Named(string name, string word) =>
        Regex.IsMatch(name, $@"(?<![\p{{L}}\p{{N}}]){Regex.Escape(word)}(?![\p{{L}}\p{{N}}])", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    private static bool IsDescription(string file) =>
        Path.GetFileName(file) is "dataset_info.json" or "dataset_infos.json" or "state.json" or "dataset_dict.json";

    private static IEnumerable<string> Below(string folder) =>
        Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden });

    private static IEnumerable<string> Matching(string pattern)
    {
        var text = pattern.Replace('\\', '/');
        var wild = text.AsSpan().IndexOfAny('*', '?');
        var slash = text.LastIndexOf('/', wild);
        var root = slash < 0 ? "." : slash == 0 ? "/" : text[..slash];
        if (!Directory.Exists(root)) throw new RequestException($"{pattern}: the folder {root} does not exist");
        var expression = new Regex("^" + Translate(text[(slash + 1)..]) + "$", RegexOptions.CultureInvariant);
        return Below(root).Where(f => expression.IsMatch(Path.GetRelativePath(root, f).Replace('\\', '/')))
            .Select(f => slash < 0 ? Path.GetRelativePath(root, f) : f);
    }

    private static string Translate(string glob) => Wild().Replace(Regex.Escape(glob), m => m.Value switch
    {
        @"\*\*/" => "(.*/)?",
        @"\*\*" => ".*",
        @"\*" => "[^/]*",
        _ => "[^/]",
    });

    [GeneratedRegex(@"\\\*\\\*/|\\\*\\\*|\\\*|\\\?")]
    private static partial Regex Wild();
}
