namespace LlmTune.Tokenization;
internal sealed class RegexProgram
{
    public static RegexProgram Parse(string p) => throw new FormatException("regular expressions other than those of GPT-2, cl100k and Qwen2 are not supported");
    public static void Matches(ReadOnlySpan<char> text, List<TextSpan> matches) => matches.Clear();
}
