using System.Buffers;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>How a BPE model treats what its vocabulary lacks, and how it writes its tokens.</summary>
internal sealed record BpeSettings
{
    public string? UnknownToken { get; init; }

    /// <summary>What stands before a token that does not begin a word.</summary>
    public string ContinuingPrefix { get; init; } = "";

    /// <summary>What stands behind the token that ends a word.</summary>
    public string EndOfWordSuffix { get; init; } = "";

    /// <summary>One unknown token for a run of unknown characters.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>A character that is unknown becomes the entries of its bytes, <c>&lt;0xE4&gt;</c>, if all of them are there.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A whole piece that is an entry is taken without merging.</summary>
    public bool IgnoreMerges { get; init; }
}

/// <summary>
/// Byte-pair encoding (arXiv:1508.07909) over characters, or over the bytes of UTF-8 where the vocabulary is one of
/// <see cref="ByteLevel"/> and the pieces come unmapped.
/// </summary>
internal sealed class Bpe : TokenModel
{
    private readonly BpeSettings _settings;
    private readonly Merges _merges;
    private readonly bool _onBytes;
    private readonly Neighbours? _neighbours;
    private readonly int _unknown = -1;
    private readonly int[] _byteIds = new int[256];
    private readonly PieceCache _cache = new();

    /// <param name="onBytes">Pieces are text whose bytes are to be encoded; only where <see cref="CanWorkOnBytes"/>.</param>
    public Bpe(Vocabulary vocabulary, Merges merges, Neighbours? neighbours, BpeSettings settings, bool onBytes)
    {
        (Vocabulary, _merges, _settings, _onBytes) = (vocabulary, merges, settings, onBytes);
        if (settings.UnknownToken is { } token) _unknown = vocabulary.Id(token) ?? -1;
        for (var b = 0; b < 256; b++) _byteIds[b] = vocabulary.Id(onBytes ? [ByteLevel.ToChar((byte)b)] : $"<0x{b:X2}>") ?? -1;
        var nothingVanishes = _unknown >= 0 || (settings.ByteFallback && Array.TrueForAll(_byteIds, id => id >= 0));
        if (!onBytes && nothingVanishes && settings is { IgnoreMerges: false, ContinuingPrefix: "", EndOfWordSuffix: "" }) _neighbours = neighbours;
    }

    public override Vocabulary Vocabulary { get; }

    /// <summary>Whether pieces are text whose bytes are encoded, instead of the characters that stand for them.</summary>
    public bool OnBytes => _onBytes;

    public static Bpe FromJson(JsonField field, bool onBytes)
    {
        var (vocabulary, merges) = (Vocabulary.Read(field["vocab"]), field["merges"]);
        if (merges.IsNull) throw merges.Error("is missing");
        if (field["dropout"] is { IsNull: false } dropout && dropout.Number() is < 0 or > 1)
        {
            throw dropout.Error($"must be from 0 to 1, found {dropout.Number()}");
        }
        var settings = new BpeSettings
        {
            UnknownToken = field["unk_token"].TextOrNull(),
            ContinuingPrefix = field["continuing_subword_prefix"].TextOrNull() ?? "",
            EndOfWordSuffix = field["end_of_word_suffix"].TextOrNull() ?? "",
            FuseUnknown = field["fuse_unk"].Flag(false),
            ByteFallback = field["byte_fallback"].Flag(false),
            IgnoreMerges = field["ignore_merges"].Flag(false),
        };
        if (settings.UnknownToken is { } unknown && vocabulary.Id(unknown) is null)
        {
            throw field["unk_token"].Error($"\"{unknown}\" is not in the vocabulary");
        }
        var (table, neighbours) = ReadMerges(merges, vocabulary, settings);
        return new Bpe(vocabulary, table, neighbours, settings, onBytes && CanWorkOnBytes(vocabulary, settings));
    }

    /// <summary>Whether encoding bytes is the same as encoding the characters that stand for them.</summary>
    public static bool CanWorkOnBytes(Vocabulary vocabulary, BpeSettings settings)
    {
        if (settings.ByteFallback || settings.ContinuingPrefix.Length > 0 || settings.EndOfWordSuffix.Length > 0) return false;
        foreach (var c in ByteLevel.Alphabet)
        {
            if (vocabulary.Id([c]) is null) return false;
        }
        return true;
    }

    public override void Encode(ReadOnlySpan<char> piece, TokenSink sink)
    {
        if (_neighbours is null)
        {
            EncodePart(piece, 0, sink);
            return;
        }
        var start = 0;
        for (var i = 1; i < piece.Length; i++)
        {
            if (_neighbours.MayMeet(piece[i - 1], piece[i]) || !_neighbours.IsEntry(piece[i])) continue;
            EncodePart(piece[start..i], start, sink);
            start = i;
        }
        EncodePart(piece[start..], start, sink);
    }

    private void EncodePart(ReadOnlySpan<char> piece, int offset, TokenSink sink)
    {
        var cached = piece.Length <= PieceCache.LongestPiece;
        if (cached && _cache.TryAdd(piece, offset, sink)) return;
        var before = sink.Ids.Count;
        if (!(_settings.IgnoreMerges && EncodeWhole(piece, offset, sink))) Merge(piece, offset, sink);
        if (cached) _cache.Keep(piece, offset, sink, before);
    }

    private bool EncodeWhole(ReadOnlySpan<char> piece, int offset, TokenSink sink)
    {
        int id;
        if (!_onBytes)
        {
            if (!Vocabulary.TryGetId(piece, out id)) return false;
        }
        else
        {
            if (piece.Length > 1024) return false;
            Span<byte> bytes = stackalloc byte[3 * piece.Length];
            var count = Encoding.UTF8.GetBytes(piece, bytes);
            Span<char> chars = stackalloc char[count];
            for (var i = 0; i < count; i++) chars[i] = ByteLevel.ToChar(bytes[i]);
            if (!Vocabulary.TryGetId(chars, out id)) return false;
        }
        sink.Add(id, offset, offset + piece.Length);
        return true;
    }

    private void Merge(ReadOnlySpan<char> piece, int offset, TokenSink sink)
    {
        var longest = 3 * piece.Length + 1;
        var ids = ArrayPool<int>.Shared.Rent(longest);
        var starts = ArrayPool<int>.Shared.Rent(longest);
        var (count, bytes) = _onBytes ? Bytes(piece, ids, starts) : Characters(piece, ids, starts);
        count = _merges.Apply(ids.AsSpan(0, count), starts.AsSpan(0, count));
        if (sink.Spans is null)
        {
            sink.Ids.AddRange(ids.AsSpan(0, count));
        }
        else
        {
            var places = new BytePlaces(piece);
            for (var i = 0; i < count; i++)
            {
                var end = i + 1 < count ? starts[i + 1] : bytes;
                sink.Add(ids[i], offset + places.Start(starts[i]), offset + places.End(end));
            }
        }
        ArrayPool<int>.Shared.Return(ids);
        ArrayPool<int>.Shared.Return(starts);
    }

    private (int Count, int Bytes) Bytes(ReadOnlySpan<char> piece, int[] ids, int[] starts)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(3 * piece.Length);
        var count = Encoding.UTF8.GetBytes(piece, bytes);
        for (var i = 0; i < count; i++) (ids[i], starts[i]) = (_byteIds[bytes[i]], i);
        ArrayPool<byte>.Shared.Return(bytes);
        return (count, count);
    }

    /// <summary>
    /// Each character's entry, or its bytes', or the unknown token. As in Hugging Face's library an unknown token is written when
    /// the next known character comes, which is after the bytes of characters between.
    /// </summary>
    private (int Count, int Bytes) Characters(ReadOnlySpan<char> piece, int[] ids, int[] starts)
    {
        var (count, place, unknown) = (0, 0, 0);
        Span<byte> bytes = stackalloc byte[4];
        for (var i = 0; i < piece.Length;)
        {
            var rune = Utf16.RuneAt(piece, i, out var length);
            var width = rune.Utf8SequenceLength;
            if (Entry(piece, i, length, out var id))
            {
                FlushUnknown();
                Put(id, width);
            }
            else if (_settings.ByteFallback && HasAllBytes(bytes[..rune.EncodeToUtf8(bytes)]))
            {
                foreach (var b in bytes[..width]) Put(_byteIds[b], 1);
            }
            else if (_unknown >= 0)
            {
                if (!_settings.FuseUnknown) FlushUnknown();
                unknown += width;
            }
            i += length;
        }
        FlushUnknown();
        return (count, place);

        void FlushUnknown()
        {
            if (unknown > 0) Put(_unknown, unknown);
            unknown = 0;
        }

        void Put(int id, int width)
        {
            (ids[count], starts[count]) = (id, place);
            count++;
            place += width;
        }
    }

    private bool Entry(ReadOnlySpan<char> piece, int index, int length, out int id)
    {
        var character = piece.Slice(index, length);
        var prefix = index > 0 ? _settings.ContinuingPrefix : "";
        var suffix = index + length == piece.Length ? _settings.EndOfWordSuffix : "";
        return prefix.Length + suffix.Length == 0
            ? Vocabulary.TryGetId(character, out id)
            : Vocabulary.TryGetId(string.Concat(prefix, character, suffix), out id);
    }

    private bool HasAllBytes(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            if (_byteIds[b] < 0) return false;
        }
        return true;
    }

    private static (Merges Table, Neighbours? Neighbours) ReadMerges(JsonField field, Vocabulary vocabulary, BpeSettings settings)
    {
        var items = field.Element.ValueKind == System.Text.Json.JsonValueKind.Array ? field.Element : throw field.Error("expected a list of pairs");
        var table = new Merges(items.GetArrayLength(), items.GetArrayLength());
        var (prefix, rank) = (settings.ContinuingPrefix, 0);
        Neighbours? neighbours = new(vocabulary);
        foreach (var item in items.EnumerateArray())
        {
            var (left, right) = Pair(item, field, rank);
            var joined = right.StartsWith(prefix, StringComparison.Ordinal) ? string.Concat(left, right.AsSpan(prefix.Length)) : left + right;
            table.Add(Id(left), Id(right), rank, Id(joined));
            neighbours?.Add(joined);
            if (IsNoText(left) || IsNoText(right)) neighbours = null;
            rank++;

            int Id(string token) => vocabulary.Id(token)
                ?? throw field.Error($"\"{left}\" + \"{right}\": \"{token}\" is not in the vocabulary", rank);
        }
        return (table, neighbours);

        // A token that stands for other text than its own says nothing about neighbours.
        bool IsNoText(string token) => token == settings.UnknownToken || (settings.ByteFallback && token.StartsWith("<0x", StringComparison.Ordinal));
    }

    /// <summary>"a b", or ["a", "b"].</summary>
    private static (string Left, string Right) Pair(System.Text.Json.JsonElement item, JsonField field, int rank)
    {
        var place = new JsonField(item, field.File, $"{field.Path}[{rank}]");
        if (item.ValueKind == System.Text.Json.JsonValueKind.Array)
        {
            return item.GetArrayLength() == 2
                ? (new JsonField(item[0], field.File, place.Path).Text(), new JsonField(item[1], field.File, place.Path).Text())
                : throw place.Error($"expected two parts, found {item.GetArrayLength()}");
        }
        var text = place.Text();
        var at = text.IndexOf(' ', StringComparison.Ordinal);
        return at >= 0 && text.IndexOf(' ', at + 1) < 0
            ? (text[..at], text[(at + 1)..])
            : throw place.Error($"expected two parts with a space between, found \"{text}\"");
    }
}
