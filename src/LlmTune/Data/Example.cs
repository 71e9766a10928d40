using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>What a row means, whatever format it came in.</summary>
public abstract record Example
{
    private protected Example() { }

    /// <summary>Turns that go through the chat template.</summary>
    public sealed record Chat(Conversation Conversation) : Example;

    /// <summary>Strings that are not templated: the completion is trained on, and EOS after it.</summary>
    public sealed record PromptCompletion(string Prompt, string Completion) : Example;

    /// <summary>A document: everything is trained on, and EOS after it.</summary>
    public sealed record Text(string Value) : Example;

    /// <summary>Token ids as they are.</summary>
    /// <param name="Trained">(T) whether a token is trained on by its labels or assistant mask; null trains on all.</param>
    /// <param name="Completion">(T) whether a token belongs to the completion; null where the row does not say.</param>
    public sealed record Tokens(int[] Ids, bool[]? Trained = null, bool[]? Completion = null) : Example
    {
        /// <summary>(T) what the loss of a token is multiplied by, 0 of one that is not trained on; null where the row does not say.</summary>
        public float[]? Weights { get; init; }
    }

    /// <summary>Answers to one prompt, and which of them are better.</summary>
    /// <param name="Desirable">Of a single answer whether it is a good one; null where several stand from the best to the worst.</param>
    public abstract record Judged(bool? Desirable) : Example
    {
        /// <summary>Each answer alone: the best as desirable, the others not.</summary>
        public abstract IEnumerable<Judged> Unpaired();

        private protected bool? VerdictAlone(int rank) => Desirable ?? rank == 0;
    }

    /// <summary>Strings that are not templated; EOS follows each answer.</summary>
    public sealed record JudgedTexts(string Prompt, IReadOnlyList<string> Answers, bool? Desirable = null) : Judged(Desirable)
    {
        public override IEnumerable<Judged> Unpaired() => Answers.Select((answer, rank) => new JudgedTexts(Prompt, [answer], VerdictAlone(rank)));
    }

    /// <summary>Turns that go through the chat template: those of the prompt, and those of each answer.</summary>
    public sealed record JudgedChats(
        IReadOnlyList<Message> Prompt, IReadOnlyList<IReadOnlyList<Message>> Answers, JsonArray? Tools = null, bool? Desirable = null)
        : Judged(Desirable)
    {
        /// <summary>Variables that the template sees with this example.</summary>
        public JsonObject? Variables { get; init; }

        public override IEnumerable<Judged> Unpaired() =>
            Answers.Select((answer, rank) => new JudgedChats(Prompt, [answer], Tools, VerdictAlone(rank)) { Variables = Variables });
    }

    /// <summary>Identity of the content: equal for rows that say the same, in whatever order or format of columns they stand.</summary>
    public ulong ContentHash()
    {
        var hash = new XxHash3();
        void Add(string? text)
        {
            hash.Append([text is null ? (byte)0 : (byte)1]);
            hash.Append(MemoryMarshal.AsBytes(text.AsSpan()));
            hash.Append("\u001f"u8);
        }
        void AddVariables(JsonObject? variables)
        {
            if (variables is not null) Add(variables.ToJsonString());   // rows without any keep the identity that their holdout was drawn by
        }
        void AddTurns(IEnumerable<Message> turns)
        {
            foreach (var turn in turns)
            {
                Add(turn.Role);
                Add(turn.Content);
                Add(turn.Fields?.ToJsonString());
                Add(turn.Train?.ToString());
                if (turn.Weight != 1) Add(turn.Weight.ToString(CultureInfo.InvariantCulture));
                hash.Append(MemoryMarshal.AsBytes<ContentPart>([.. turn.Parts]));
            }
        }
        switch (this)
        {
            case Chat chat:
                AddTurns(chat.Conversation.Messages);
                Add(chat.Conversation.Tools?.ToJsonString());
                AddVariables(chat.Conversation.Variables);
                break;
            case JudgedTexts judged:
                Add(judged.Desirable?.ToString());
                Add(judged.Prompt);
                foreach (var answer in judged.Answers) Add(answer);
                break;
            case JudgedChats judged:
                Add(judged.Desirable?.ToString());
                foreach (var turns in (IEnumerable<IReadOnlyList<Message>>)[judged.Prompt, .. judged.Answers])
                {
                    AddTurns(turns);
                    hash.Append("\u001e"u8);
                }
                Add(judged.Tools?.ToJsonString());
                AddVariables(judged.Variables);
                break;
            case PromptCompletion pair:
                Add(pair.Prompt);
                Add(pair.Completion);
                break;
            case Text text:
                Add(text.Value);
                break;
            case Tokens tokens:
                hash.Append(MemoryMarshal.AsBytes(tokens.Ids.AsSpan()));
                hash.Append(MemoryMarshal.AsBytes(tokens.Trained.AsSpan()));
                hash.Append(MemoryMarshal.AsBytes(tokens.Completion.AsSpan()));
                hash.Append(MemoryMarshal.AsBytes(tokens.Weights.AsSpan()));
                break;
        }
        return hash.GetCurrentHashAsUInt64();
    }
}
