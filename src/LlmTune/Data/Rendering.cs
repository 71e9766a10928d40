using System.Text.Json.Nodes;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>What of an example is trained on.</summary>
public sealed record MaskSettings
{
    public static MaskSettings Default { get; } = new();

    /// <summary>Everything, prompts and other turns too.</summary>
    public bool TrainOnPrompt { get; init; }

    /// <summary>Only the last turn of a trained role.</summary>
    public bool MaskHistory { get; init; }

    public IReadOnlyList<string> RolesToTrain { get; init; } = ["assistant"];
}

/// <summary>An example as tokens.</summary>
/// <param name="Trained">(T) whether a token is trained on; of the first token only where it follows another in a stream.</param>
/// <param name="IsText">Whether it is a running text, which may be cut anywhere.</param>
public sealed record Tokens(int[] Ids, bool[] Trained, bool IsText = false)
{
    /// <summary>(T) what the loss of a token that is trained on is multiplied by; null where each counts once.</summary>
    public float[]? Weights { get; init; }

    /// <summary>Lengths of the answers that follow one shared prompt, each meant right behind it; empty where the ids are one sequence.</summary>
    public IReadOnlyList<int> Answers { get; init; } = [];

    /// <summary>Of a single judged answer whether it is a good one.</summary>
    public bool? Desirable { get; init; }

    /// <summary>So many tokens at the end of an answer say that it is over: kept where answers are cut.</summary>
    public int Ending { get; init; } = 1;

    /// <summary>Whether a token reaches over the border of prompt and completion: at inference the prompt has other tokens.</summary>
    public bool IsMerged { get; init; }

    /// <summary>Parts of the row that the template does not write (<see cref="RenderedConversation.LeftOut"/>).</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>Whether a call's arguments are a text that is no JSON object.</summary>
    public bool HasBrokenArguments { get; init; }

    /// <summary>Tokens of the prompt that answers share.</summary>
    public int Prompt => Answers.Count == 0 ? 0 : Ids.Length - Answers.Sum();

    /// <summary>Tokens in a batch, where the prompt stands before each of its answers.</summary>
    public int Length => Answers.Count == 0 ? Ids.Length : Ids.Length + ((Answers.Count - 1) * Prompt);

    /// <summary>Tokens of the longest sequence.</summary>
    public int Longest => Answers.Count == 0 ? Ids.Length : Prompt + Answers.Max();

    /// <summary>How many tokens are trained on; a sequence's first token never is.</summary>
    public int TrainedCount =>
        Answers.Count == 0 ? Trained.AsSpan(Math.Min(1, Trained.Length)).Count(true) : Answers.Sum() - (Prompt == 0 ? Answers.Count : 0);

    /// <summary>Whether there is something to learn: a trained token, in each of the answers if there are several.</summary>
    public bool AnyTrained =>
        Answers.Count == 0 ? Trained.AsSpan(Math.Min(1, Trained.Length)).Contains(true) : Answers.Min() > (Prompt == 0 ? 1 : 0);
}

/// <summary>
/// Examples as tokens with their masks. Conversations go through the chat template and nothing is appended; strings are not templated
/// and EOS is appended.
/// </summary>
public static class Rendering
{
    private const int LongestEnding = 4;

    /// <summary>Fields in which a turn without a text says something; a name or an id alone says nothing.</summary>
    private static readonly string[] Wordy = ["content", "tool_calls", "function_call", "reasoning_content", "reasoning", "thinking", "tool_plan"];

    /// <exception cref="RowException">The example cannot be rendered.</exception>
    public static Tokens Render(Example example, Codec codec, MaskSettings masks)
    {
        var tokens = example switch
        {
            Example.Chat chat => Chat(chat.Conversation, codec, masks),
            Example.PromptCompletion pair => Pair(pair, codec, masks),
            Example.Text text => Text(text.Value, codec),
            Example.Tokens ids => Given(ids, masks),
            Example.Judged judged => JudgedRendering.Render(judged, codec),
            _ => throw new InvalidOperationException(example.GetType().Name),
        };
        foreach (var id in tokens.Ids)
        {
            if (id >= codec.Vocabulary)
                throw new RowException($"holds the token {(codec.TokenOf(id) is { } token ? $"{token} (id {id})" : $"id {id}")}, the model knows {codec.Vocabulary} ids");
        }
        return tokens;
    }

    private static Tokens Chat(Conversation conversation, Codec codec, MaskSettings masks)
    {
        var rendered = (codec.Render ?? throw NoTemplate())(conversation);
        var end = rendered.Turns.LastOrDefault(turn => turn.Role == "assistant" && turn.End > turn.Start)?.End ?? 0;
        return new Tokens(rendered.Ids, Mask(conversation, rendered, masks))
        {
            Weights = Weights(conversation, rendered),
            Ending = Ending(rendered.Ids.AsSpan(0, end), codec),
            LeftOut = rendered.LeftOut,
            HasBrokenArguments = rendered.HasBrokenArguments,
        };
    }

    /// <summary>How many tokens end a turn: its last special token and what the template writes behind it (a line break).</summary>
    private static int Ending(ReadOnlySpan<int> turn, Codec codec)
    {
        for (var count = 1; count <= Math.Min(LongestEnding, turn.Length); count++)
            if (codec.Markers.Contains(turn[^count])) return count;
        return 1;
    }

    internal static RequestException NoTemplate() => new(
        "the data holds conversations and the model has no chat template; set model.chat_template, or map the columns to prompt and completion, "
        + "which need none");

    /// <summary>
    /// (T) what of a rendered conversation is trained on. A turn's own word counts most (weight 0), then roles_to_train and
    /// mask_history; an empty turn teaches nothing. train_on_prompt takes all but turns that say no.
    /// </summary>
    public static bool[] Mask(Conversation conversation, RenderedConversation rendered, MaskSettings masks)
    {
        bool Learnable(Message message) => masks.RolesToTrain.Contains(message.Role) && HasWords(message);

        var last = masks.MaskHistory ? conversation.Messages.Select((m, i) => Learnable(m) ? i : -1).Max() : -1;
        bool IsTrained(int number)
        {
            var message = conversation.Messages[number];
            return message.Train is { } own ? own && HasWords(message) : Learnable(message) && (!masks.MaskHistory || number == last);
        }

        var trained = new bool[rendered.Ids.Length];
        if (masks.TrainOnPrompt) trained.AsSpan(..^rendered.Opening).Fill(true);
        foreach (var turn in rendered.Turns)
        {
            if (IsTrained(turn.Message))
                trained.AsSpan(turn.Start..turn.End).Fill(true);
            else if (conversation.Messages[turn.Message].Train == false)
                trained.AsSpan(turn.Start..turn.End).Clear();
        }
        foreach (var part in rendered.Parts)
        {
            var message = conversation.Messages[part.Message];
            if (part.Weight == 0)
                trained.AsSpan(part.Start..part.End).Clear();
            else if (message.Train != false && (IsTrained(part.Message) || !masks.RolesToTrain.Contains(message.Role)))
                trained.AsSpan(part.Start..part.End).Fill(true);
        }
        return trained;
    }

    /// <summary>(T) what the loss of each token is multiplied by: its turn's factor, and that of its part of the content; null where all are 1.</summary>
    private static float[]? Weights(Conversation conversation, RenderedConversation rendered)
    {
        if (conversation.Messages.All(m => m.Weight == 1 && m.Parts.All(p => p.Weight is 0 or 1))) return null;
        var weights = new float[rendered.Ids.Length];
        weights.AsSpan().Fill(1);
        foreach (var turn in rendered.Turns) weights.AsSpan(turn.Start..turn.End).Fill(conversation.Messages[turn.Message].Weight);
        foreach (var part in rendered.Parts)
            if (part.Weight > 0) weights.AsSpan(part.Start..part.End).Fill(conversation.Messages[part.Message].Weight * part.Weight);
        return weights;
    }

    /// <summary>Whether a turn says anything: a text, a call, a thought.</summary>
    private static bool HasWords(Message message) =>
        !string.IsNullOrEmpty(message.Content) || Array.Exists(Wordy, name => message.Fields?[name] is { } field && field switch
        {
            JsonArray list => list.Count > 0,
            JsonObject => true,
            _ => field.ToString().Length > 0,
        });

    /// <summary>The whole is encoded at once; a token that reaches over the boundary belongs to the completion (as in TRL).</summary>
    private static Tokens Pair(Example.PromptCompletion pair, Codec codec, MaskSettings masks)
    {
        var whole = WithEnd(codec.Encode(pair.Prompt + pair.Completion), codec);
        var trained = new bool[whole.Length];
        if (pair.Completion.Length == 0) return new Tokens(whole, trained);
        ReadOnlySpan<int> prompt = WithoutSecondBos(codec.Encode(pair.Prompt), codec);
        if (prompt is [.. var before, var last] && last == codec.Eos) prompt = before;   // of tokenizers that end every text
        var boundary = Boundary(prompt, whole);
        trained.AsSpan(masks.TrainOnPrompt ? 0 : boundary).Fill(true);
        return new Tokens(whole, trained) { IsMerged = boundary < prompt.Length };
    }

    private static Tokens Text(string text, Codec codec)
    {
        var ids = text.Length > 0 ? WithEnd(codec.Encode(text), codec) : [];
        var trained = new bool[ids.Length];
        trained.AsSpan().Fill(true);
        return new Tokens(ids, trained, IsText: true);
    }

    private static Tokens Given(Example.Tokens given, MaskSettings masks)
    {
        var trained = new bool[given.Ids.Length];
        for (var t = 0; t < trained.Length; t++)
            trained[t] = (given.Trained?[t] ?? true) && (masks.TrainOnPrompt || (given.Completion?[t] ?? true)) && given.Weights?[t] != 0;
        return new Tokens(given.Ids, trained) { Weights = given.Weights is { } weights && Array.Exists(weights, w => w is not (0 or 1)) ? weights : null };
    }

    /// <summary>Length of the common beginning of a prompt's ids and the whole's: where the completion begins.</summary>
    public static int Boundary(ReadOnlySpan<int> prompt, ReadOnlySpan<int> whole) => prompt.CommonPrefixLength(whole);

    /// <summary>With EOS at the end unless it is there, and without a second BOS.</summary>
    internal static int[] WithEnd(int[] ids, Codec codec)
    {
        ids = WithoutSecondBos(ids, codec);
        return codec.Eos is not { } eos || ids is [.., var last] && last == eos ? ids : [.. ids, eos];
    }

    /// <summary>A text may bring the BOS that the tokenizer puts before it too.</summary>
    internal static int[] WithoutSecondBos(int[] ids, Codec codec) =>
        codec.Bos is { } bos && ids.Length > 1 && ids[0] == bos && ids[1] == bos ? ids[1..] : ids;
}
