using System.IO.Hashing;
using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Data;

/// <summary>
/// Tokenized sources kept from run to run. A file is named by everything that its tokens come from (content of the files, tokenizer,
/// template, settings), so it is never stale; it is put there whole and checked when it is opened. Names and times of the data's files play no
/// part: their content is read and hashed at every start, which takes a tenth of a second a few hundred megabytes.
/// </summary>
internal static class DataCache
{
    /// <summary>Raised when the same input would give other tokens.</summary>
    private const int Version = 8;

    /// <summary>What the files may take in all, in gigabytes, where this variable does not say otherwise.</summary>
    public const string SizeVariable = "LLMTUNE_CACHE_GB";

    private const double DefaultGigabytes = 20;

    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>What was used so shortly ago is in use, or about to be, perhaps by another process.</summary>
    private static readonly TimeSpan InUse = TimeSpan.FromHours(1);

    /// <summary>Bytes that the files may take in all.</summary>
    /// <exception cref="RequestException">The variable holds no number.</exception>
    public static long Limit()
    {
        var text = Environment.GetEnvironmentVariable(SizeVariable);
        if (string.IsNullOrEmpty(text)) return (long)(DefaultGigabytes * 1e9);
        return double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var size) && size >= 0
            ? (long)Math.Min(size * 1e9, long.MaxValue / 2)
            : throw new RequestException($"{SizeVariable} is '{text}', expected the most gigabytes that tokenized data may take, as in 20 or 0.5");
    }

    /// <summary>What the tokens of a source come from, as one hash.</summary>
    public static string Key(Source source, EncodeSettings settings)
    {
        var everything = JsonSerializer.Serialize(new
        {
            Version,
            Files = source.Files.Select(file => new { Kind = Sources.FileKind.Suffix(file), Content = OfFile(file) }),
            Format = source.Format.Name,
            Columns = source.Settings.Columns.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}={c.Value}"),
            Roles = source.Settings.Roles.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}={c.Value}"),
            Turns = $"{source.Settings.TurnKeys}",
            source.Template,
            source.Limit,
            Slice = source.Slice is { } slice ? $"{slice.From} {slice.To}" : "",
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

    /// <summary>
    /// Removes what has not been used for a month, what a killed run left half written, and of the rest what was used longest ago until the
    /// files take no more than <paramref name="limit"/> bytes. What was used within the hour stays, and whoever has a removed file open keeps it.
    /// </summary>
    public static void Prune(string folder, DateTime now, long limit)
    {
        var kept = 0L;
        foreach (var file in new DirectoryInfo(folder).GetFiles().OrderByDescending(f => f.LastWriteTimeUtc))
        {
            var age = now - file.LastWriteTimeUtc;
            var goes = file.Extension switch
            {
                ".tokens" => age > Kept || (age > InUse && kept + file.Length > limit),
                ".partial" => age > TimeSpan.FromDays(1),
                _ => false,
            };
            if (goes) Remove(file);
            else if (file.Extension == ".tokens") kept += file.Length;
        }
    }

    /// <summary>Says that a file is used.</summary>
    public static void Touch(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Removed since, or another user's: it is open all the same.
        }
    }

    private static void Remove(FileInfo file)
    {
        try
        {
            file.Delete();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process has it open, or has removed it already.
        }
    }

    /// <summary>Hash of a file's content.</summary>
    internal static string OfFile(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.SequentialScan);
        var hash = new XxHash128();
        var buffer = new byte[1 << 20];
        long at = 0;
        for (int read; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read) hash.Append(buffer.AsSpan(0, read));
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
