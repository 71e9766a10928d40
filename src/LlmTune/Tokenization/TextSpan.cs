namespace LlmTune.Tokenization;

/// <summary>A stretch of a text, in UTF-16 units: from <paramref name="Start"/> up to and without <paramref name="End"/>.</summary>
public readonly record struct TextSpan(int Start, int End)
{
    public int Length => End - Start;

    public string Of(string text) => text[Start..End];
}
