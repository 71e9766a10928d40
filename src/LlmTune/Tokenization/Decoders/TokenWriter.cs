using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// A step of decoding. It receives tokens, a token perhaps in several parts, and hands texts on as soon as they are certain, so
/// that decoding at once and decoding a stream are one and the same. A writer has state and belongs to one decoding.
/// </summary>
internal abstract class TokenWriter(TokenWriter next)
{
    protected TokenWriter Next => next;

    /// <param name="begins">Whether a token begins; else the text goes on with the last one.</param>
    public abstract void Write(string text, bool begins);

    /// <summary>No token comes any more.</summary>
    public virtual void End() => next.End();
}

/// <summary>The last step: collects the text.</summary>
internal sealed class TextCollector() : TokenWriter(null!)
{
    private readonly StringBuilder _text = new();

    public override void Write(string text, bool begins) => _text.Append(text);

    public override void End()
    {
    }

    /// <summary>What has come since the last call.</summary>
    public string Take()
    {
        var text = _text.ToString();
        _text.Clear();
        return text;
    }
}

/// <summary>A step that changes each token by itself and has to see it whole.</summary>
internal abstract class WholeTokenWriter(TokenWriter next) : TokenWriter(next)
{
    private StringBuilder? _token;

    /// <summary>How many tokens came before.</summary>
    private int _count;

    /// <summary>Whether no step before joins tokens, so that each comes in one part.</summary>
    public bool TokensComeWhole { get; init; }

    protected abstract void WriteToken(string token, int index);

    public override void Write(string text, bool begins)
    {
        if (TokensComeWhole)
        {
            WriteToken(text, _count++);
            return;
        }
        if (begins)
        {
            Flush();
            _token = new StringBuilder();
        }
        _token!.Append(text);
    }

    /// <summary>What is still to be written when no token comes any more.</summary>
    protected virtual void Finish()
    {
    }

    public override void End()
    {
        Flush();
        Finish();
        base.End();
    }

    private void Flush()
    {
        if (_token is null) return;
        WriteToken(_token.ToString(), _count++);
        _token = null;
    }
}
