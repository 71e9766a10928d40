using System.Text;

namespace LlmTune.Tokenization;

/// <summary>SentencePiece's habit of writing a space as a character of its own, and of putting one before the text.</summary>
internal sealed record MetaspaceSettings(Rune Replacement, MetaspaceSettings.Prefix Scheme, bool Splits)
{
    internal enum Prefix
    {
        Never,
        First,
        Always,
    }

    public static MetaspaceSettings Read(JsonField field)
    {
        var scheme = field["prepend_scheme"] is { IsNull: false } word
            ? word.Choice(("always", Prefix.Always), ("first", Prefix.First), ("never", Prefix.Never))
            : Prefix.Always;
        if (!field["add_prefix_space"].Flag(true))
        {
            if (!field["prepend_scheme"].IsNull && scheme != Prefix.Never)
            {
                throw field.Error("add_prefix_space false contradicts prepend_scheme; leave one of them out");
            }
            scheme = Prefix.Never;
        }
        return new MetaspaceSettings(OneCharacter(field["replacement"]), scheme, field["split"].Flag(true));
    }

    public static Rune OneCharacter(JsonField field)
    {
        var text = field.Text();
        return Rune.DecodeFromUtf16(text, out var rune, out var length) == System.Buffers.OperationStatus.Done && length == text.Length
            ? rune
            : throw field.Error($"expected one character, found \"{text}\"");
    }
}

/// <summary>Writes spaces as the replacement, puts one before the text where none stands, and cuts before each.</summary>
internal sealed class MetaspaceSplitter(MetaspaceSettings settings) : Splitter
{
    private readonly string _replacement = settings.Replacement.ToString();

    public override bool NeedsOrigins => settings.Scheme == MetaspaceSettings.Prefix.First;

    public override void Split(Piece piece, Action<Piece> next)
    {
        var text = piece.Copy();
        var first = text.Begin == 0;
        if (text.Tracked) text.Replace(CharacterSplitter.Matches(text.Text, rune => rune.Value == ' '), _replacement);
        else text.Set(text.Text.Replace(" ", _replacement, StringComparison.Ordinal));
        var prepends = settings.Scheme == MetaspaceSettings.Prefix.Always || (settings.Scheme == MetaspaceSettings.Prefix.First && first);
        if (prepends && !text.Text.StartsWith(_replacement, StringComparison.Ordinal)) text.Prepend(_replacement);
        if (!settings.Splits)
        {
            next(Piece.All(text));
            return;
        }
        for (var start = 0; start < text.Text.Length;)
        {
            var end = text.Text.IndexOf(_replacement, start + 1, StringComparison.Ordinal);
            if (end < 0) end = text.Text.Length;
            next(new Piece(text, start, end - start));
            start = end;
        }
    }
}
