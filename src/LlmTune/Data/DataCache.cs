using System.IO.Hashing;
using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Data;

/// <summary>
/// Tokenized sources kept from run to run. A file is named by everything that its tokens come from (content of the files, tokenizer,
/// template, settings), so it is never stale; it is put there whole and checked when it is opened.
/// </summary>
internal static class DataCache
{
    /// <summary>Raised when the same input would give other tokens.</summary>
    private const int Version = 2;

    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>What the tokens of a source come from, as one hash.</summary>
    public static string Key(Source source, EncodeSettings settings)
    {
        var everything = JsonSerializer.Serialize(new
        {
            Version,
            Files = source.Files.Select(file => new { File = file, Content = OfFile(file) }),
            source.Label,
            Format = source.Format.Name,
            Columns = source.Settings.Columns.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}={c.Value}"),
            Roles = source.Settings.Roles.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}={c.Value}"),
            Turns = $"{source.Settings.TurnKeys}",
            source.Template,
            source.Limit,
            settings.Codec.Identity,
            settings.Codec.Vocabulary,
            settings.Masks,
            settings.MaxLength,
            settings.Truncation,
            settings.OnError,
        });
        return Hashes.OfText(everything);
    }

    /// <summary>Where the tokens of a key lie.</summary>
    public static string FileOf(string folder, string key) => Path.Combine(folder, $"{key}.tokens");

    /// <summary>Removes what has not been used for a month, and what a killed run left half written.</summary>
    public static void Prune(string folder, DateTime now)
    {
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles())
        {
            var age = now - file.LastWriteTimeUtc;
            if ((file.Extension == ".tokens" && age > Kept) || (file.Extension == ".partial" && age > TimeSpan.FromDays(1))) file.Delete();
        }
    }

    private static string OfFile(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.SequentialScan);
        var hash = new XxHash128();
        hash.Append(stream);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
