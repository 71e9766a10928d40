using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

/// <summary>What is trained on, shown as text; the rest as dots.</summary>
public class RenderingTests
{
    private static readonly Message[] Dialogue =
        [new("system", "S"), new("user", "ab"), new("assistant", "cd"), new("user", "e"), new("assistant", "f")];

    private static string Trained(Example example, MaskSettings? masks = null, Codec? codec = null)
    {
        var tokens = Rendering.Render(example, codec ?? Codecs.Characters, masks ?? MaskSettings.Default);
        return Codecs.ShowTrained(tokens.Ids, tokens.Trained);
    }

    private static Example.Chat Chat(params Message[] messages) => new(new Conversation(messages));

    [Fact]
    public void Answers_and_their_ends_are_trained_on()
    {
        var tokens = Rendering.Render(Chat(Dialogue), Codecs.Characters, MaskSettings.Default);
        Assert.Equal("‹system\nS›\n‹user\nab›\n‹assistant\ncd›\n‹user\ne›\n‹assistant\nf›\n", Codecs.Show(tokens.Ids));
        string Dots(string text) => new('.', text.Length);
        Assert.Equal(Dots("‹system\nS›\n‹user\nab›\n‹assistant\n") + "cd›" + Dots("\n‹user\ne›\n‹assistant\n") + "f›.", Codecs.ShowTrained(tokens.Ids, tokens.Trained));
    }

    [Fact]
    public void Mask_history_keeps_the_last_answer_only()
    {
        var trained = Trained(Chat(Dialogue), new MaskSettings { MaskHistory = true });
        Assert.EndsWith(".f›.", trained, StringComparison.Ordinal);
        Assert.DoesNotContain('c', trained);
    }

    [Fact]
    public void Roles_to_train_may_be_others()
    {
        var trained = Trained(Chat(Dialogue), new MaskSettings { RolesToTrain = ["user", "system"] });
        Assert.Equal("S›ab›e›", trained.Replace(".", "", StringComparison.Ordinal));
    }

    [Fact]
    public void A_turn_of_weight_0_is_left_out_and_one_of_weight_1_is_taken_whatever_the_settings()
    {
        Message[] turns = [Dialogue[1] with { Train = true }, Dialogue[2] with { Train = false }, Dialogue[3], Dialogue[4]];
        Assert.Equal("ab›f›", Trained(Chat(turns)).Replace(".", "", StringComparison.Ordinal));
        var all = Trained(Chat(turns), new MaskSettings { TrainOnPrompt = true });
        Assert.Equal("‹user\nab›\n‹assistant\n...\n‹user\ne›\n‹assistant\nf›\n", all);
    }

    [Fact]
    public void An_empty_answer_teaches_nothing()
    {
        Assert.DoesNotContain('›', Trained(Chat(Dialogue[1], new Message("assistant", ""))));
        Assert.False(Rendering.Render(new Example.PromptCompletion("p", ""), Codecs.Characters, MaskSettings.Default).AnyTrained);
        Assert.False(Rendering.Render(new Example.Text(""), Codecs.Characters, MaskSettings.Default).AnyTrained);
    }

    /// <summary>Whatever else it has: a name, an id, an empty list of calls, a wish to be trained on.</summary>
    [Theory]
    [InlineData("""{"name": "x"}""", null, false)]
    [InlineData("""{"tool_calls": [], "id": "1"}""", true, false)]
    [InlineData("""{"reasoning_content": ""}""", true, false)]
    [InlineData("{}", true, false)]
    [InlineData("""{"tool_calls": [{"function": {"name": "f"}}]}""", null, true)]
    [InlineData("""{"reasoning_content": "so"}""", null, true)]
    [InlineData("""{"content": [{"type": "text", "text": "t"}]}""", null, true)]
    public void An_empty_turn_teaches_nothing_whatever_other_keys_it_has(string fields, bool? train, bool learns)
    {
        var turn = new Message("assistant", "") { Fields = (JsonObject)JsonNode.Parse(fields)!, Train = train };
        Assert.Equal(learns, Rendering.Render(Chat(Dialogue[1], turn), Codecs.Characters, MaskSettings.Default).AnyTrained);
    }

    [Fact]
    public void Parts_of_a_turn_are_trained_on_or_not()
    {
        Codec Parts(params PartSpan[] parts) => Codecs.Characters with { Render = c => Codecs.Characters.Render!(c) with { Parts = parts } };
        // ‹user\nab›\n‹assistant\ncd›\n: "ab" stands at 6, "cd" at 21.
        Message[] turns = [Dialogue[1], Dialogue[2]];
        string Shown(Codec codec, params Message[] of) => Trained(Chat(of), codec: codec).Replace(".", "", StringComparison.Ordinal);
        Assert.Equal("cd›", Shown(Parts(), turns));
        Assert.Equal("d›", Shown(Parts(new PartSpan(1, 21, 22, 0)), turns));
        Assert.Equal("acd›", Shown(Parts(new PartSpan(0, 6, 7, 1), new PartSpan(0, 7, 8, 0)), turns));
        Assert.Equal("", Shown(Parts(new PartSpan(1, 21, 22, 1)), turns[0], turns[1] with { Train = false }));
    }

    [Fact]
    public void Strings_end_with_eos_and_are_not_templated()
    {
        Assert.Equal("....yes‹/s›", Trained(new Example.PromptCompletion("why?", "yes")));
        Assert.Equal("why?yes‹/s›", Trained(new Example.PromptCompletion("why?", "yes"), new MaskSettings { TrainOnPrompt = true }));
        Assert.Equal("text‹/s›", Trained(new Example.Text("text")));
    }

    [Fact]
    public void Bos_stands_once_and_eos_is_not_doubled()
    {
        Assert.Equal("‹s›text‹/s›", Trained(new Example.Text("text"), codec: Codecs.WithBos));
        Assert.Equal(".....yes‹/s›", Trained(new Example.PromptCompletion("why?", "yes"), codec: Codecs.WithBos));
        var own = Codecs.WithBos with { Encode = text => [Codecs.Bos, Codecs.Bos, .. Codecs.Ids(text), Codecs.Eos] };
        Assert.Equal("‹s›text‹/s›", Trained(new Example.Text("text"), codec: own));
    }

    /// <summary>"ab" is one token here, so that of the prompt "xa" only "x" is left and the answer begins with "ab".</summary>
    [Fact]
    public void A_token_across_the_boundary_belongs_to_the_completion()
    {
        var merging = Codecs.Characters with
        {
            Encode = text => [.. Codecs.Ids(text.Replace("ab", "Δ", StringComparison.Ordinal))],
        };
        Assert.Equal(".Δc‹/s›", Trained(new Example.PromptCompletion("xa", "bc"), codec: merging));
        Assert.Equal(2, Rendering.Boundary([1, 2, 3], [1, 2, 4, 5]));
    }

    [Fact]
    public void Ids_beyond_the_vocabulary_are_refused()
    {
        var e = Assert.Throws<RowException>(() => Rendering.Render(new Example.Tokens([1, 300]), Codecs.Characters with { Vocabulary = 300 }, MaskSettings.Default));
        Assert.Equal("holds the token id 300, the model knows 300 ids", e.Message);
    }

    [Fact]
    public void Conversations_need_a_template()
    {
        var e = Assert.Throws<RequestException>(() => Trained(Chat(Dialogue), codec: Codecs.Characters with { Render = null }));
        Assert.Contains("the model has no chat template; set model.chat_template", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Masks_of_tokenized_rows_hold_together()
    {
        bool[] Trained(MaskSettings masks) => Rendering.Render(new Example.Tokens([5, 9, 20, 33, 40], [false, true, true, false, true], [false, false, true, true, true]), Codecs.Characters, masks).Trained;
        Assert.Equal([false, false, true, false, true], Trained(MaskSettings.Default));
        Assert.Equal([false, true, true, false, true], Trained(new MaskSettings { TrainOnPrompt = true }));
    }
}
