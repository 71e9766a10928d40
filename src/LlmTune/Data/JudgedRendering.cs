using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>Judged answers as tokens: the prompt that all of them share, and behind it each answer. All of an answer is trained on.</summary>
public static class JudgedRendering
{
    /// <exception cref="RowException">The example cannot be rendered.</exception>
    public static Tokens Render(Example.Judged judged, Codec codec) => judged switch
    {
        Example.JudgedTexts texts => Split(
            Rendering.WithoutSecondBos(codec.Encode(texts.Prompt), codec),
            [.. texts.Answers.Select(answer => Rendering.WithEnd(codec.Encode(texts.Prompt + answer), codec))],
            texts.Desirable),
        Example.JudgedChats chats => Chats(chats, codec),
        _ => throw new InvalidOperationException(judged.GetType().Name),
    };

    /// <summary>
    /// The prompt is what all sequences begin with: the prompt alone, and the prompt with each of the answers. A token that reaches over
    /// the boundary belongs to the answers (as in TRL).
    /// </summary>
    /// <param name="prompt">The prompt alone.</param>
    /// <param name="sequences">The prompt with each of its answers.</param>
    /// <param name="ending">So many tokens at the end of an answer say that it is over.</param>
    public static Tokens Split(ReadOnlySpan<int> prompt, IReadOnlyList<int[]> sequences, bool? desirable, int ending = 1)
    {
        foreach (var sequence in sequences) prompt = prompt[..Rendering.Boundary(prompt, sequence)];
        var shared = prompt.Length;
        int[] ids = [.. prompt, .. sequences.SelectMany(sequence => sequence.Skip(shared))];
        var trained = new bool[ids.Length];
        trained.AsSpan(shared).Fill(true);
        int[] lengths = [.. sequences.Select(sequence => sequence.Length - shared)];
        return new Tokens(ids, trained) { Answers = lengths, Desirable = desirable, Ending = ending };
    }

    /// <summary>Whether two of the answers are the same tokens.</summary>
    public static bool HasEqualAnswers(Tokens tokens)
    {
        var from = tokens.Prompt;
        for (var a = 0; a < tokens.Answers.Count; from += tokens.Answers[a++])
        {
            var other = from + tokens.Answers[a];
            for (var b = a + 1; b < tokens.Answers.Count; other += tokens.Answers[b++])
            {
                if (tokens.Ids.AsSpan(from, tokens.Answers[a]).SequenceEqual(tokens.Ids.AsSpan(other, tokens.Answers[b]))) return true;
            }
        }
        return false;
    }

    /// <summary>The whole goes through the template, and the prompt with the beginning of the model's turn; nothing is appended.</summary>
    private static Tokens Chats(Example.JudgedChats chats, Codec codec)
    {
        if (codec is not { Render: { } render, Prompt: { } open }) throw Rendering.NoTemplate();
        List<Message> prompt = [.. chats.Prompt.Select(turn => turn with { Train = false })];
        Conversation Of(IReadOnlyList<Message> turns) => new(turns, chats.Tools) { Variables = chats.Variables };
        var rendered = chats.Answers.Select(answer => render(Of([.. prompt, .. answer]))).ToList();
        // A template may write a line break behind the token that ends a turn.
        var ending = rendered.Max(sequence => sequence.Ids.Length - sequence.Opening - sequence.Turns[^1].End + 1);
        return Split(open(Of(prompt)), [.. rendered.Select(sequence => sequence.Ids[..^sequence.Opening])], chats.Desirable, ending) with
        {
            LeftOut = [.. rendered.SelectMany(sequence => sequence.LeftOut).Distinct()],
            HasBrokenArguments = rendered.Any(sequence => sequence.HasBrokenArguments),
        };
    }
}
