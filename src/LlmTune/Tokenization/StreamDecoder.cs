namespace LlmTune.Tokenization;

/// <summary>Decodes ids that come one by one. All that it gives, one after the other, is the text of all ids.</summary>
public sealed class StreamDecoder
{
    private readonly TextCollector _text = new();
    private readonly TokenWriter _writer;
    private readonly Func<int, string?> _token;
    private string _held = "";

    internal StreamDecoder(TokenDecoder decoder, Func<int, string?> token) => (_writer, _token) = (decoder.Start(_text, eager: true), token);

    /// <summary>The text that is now certain; empty while a character is not whole. U+FFFD is given with what follows it, as by Hugging Face's stream.</summary>
    public string Add(int id)
    {
        if (_token(id) is { } token) _writer.Write(token, begins: true);
        var text = _held + _text.Take();
        var certain = text.AsSpan().TrimEnd('\uFFFD').Length;
        _held = text[certain..];
        return text[..certain];
    }

    /// <summary>What is left when no id comes any more. The decoder is then used up.</summary>
    public string Finish()
    {
        _writer.End();
        var text = _held + _text.Take();
        _held = "";
        return text;
    }
}
