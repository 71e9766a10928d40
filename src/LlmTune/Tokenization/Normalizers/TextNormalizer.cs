namespace LlmTune.Tokenization;

/// <summary>A step that changes the text before it is cut into pieces. Steps keep no state and may run on several threads.</summary>
internal abstract class TextNormalizer
{
    public abstract void Apply(AlignedText text);

    /// <returns>Null where the file has none.</returns>
    public static TextNormalizer? Read(JsonField field)
    {
        if (field.IsNull) return null;
        field.Object();
        var type = field["type"].Text();
        return type switch
        {
            "Sequence" => new NormalizerSequence(
                [.. field["normalizers"].Items().Select(f => Read(f) ?? throw f.Error("expected a normalizer, found null"))]),
            "NFC" => new UnicodeForm(System.Text.NormalizationForm.FormC),
            "NFD" => new UnicodeForm(System.Text.NormalizationForm.FormD),
            "NFKC" => new UnicodeForm(System.Text.NormalizationForm.FormKC),
            "NFKD" => new UnicodeForm(System.Text.NormalizationForm.FormKD),
            "Lowercase" => new Lowercase(),
            "Prepend" => new Prepend(field["prepend"].Text()),
            "Replace" => new Replace(TextPattern.Read(field["pattern"]), field["content"].Text()),
            "Strip" => new Strip(field["strip_left"].Flag(), field["strip_right"].Flag()),
            "StripAccents" => new StripAccents(),
            "Nmt" => new Nmt(),
            "ByteLevel" => new BytesToChars(),
            "BertNormalizer" or "Bert" => new BertNormalizer(
                field["clean_text"].Flag(),
                field["handle_chinese_chars"].Flag(),
                field["strip_accents"] is { IsNull: false } strip ? strip.Flag() : null,
                field["lowercase"].Flag()),
            "Precompiled" => new Precompiled(field["precompiled_charsmap"]),
            _ => throw field["type"].Error(
                $"\"{type}\" is not a known normalizer (Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, StripAccents, Nmt, "
                + "ByteLevel, BertNormalizer, Precompiled)"),
        };
    }
}

/// <summary>One step after the other.</summary>
internal sealed class NormalizerSequence(TextNormalizer[] steps) : TextNormalizer
{
    public override void Apply(AlignedText text)
    {
        foreach (var step in steps) step.Apply(text);
    }
}
