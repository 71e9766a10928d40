using CsCheck;
using LlmTune.Data;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

public class JudgedRenderingTests
{
    private static Tokens Render(Example.Judged judged, Codec codec) => Rendering.Render(judged, codec, MaskSettings.Default);

    [Fact]
    public void Texts_share_their_prompt_and_end_with_EOS()
    {
        var tokens = Render(new Example.JudgedTexts("p: ", ["good", "b", ""]), Codecs.WithBos);
        Assert.Equal("‹s›p: |good‹/s›|b‹/s›|‹/s›", Codecs.Show(tokens));
        Assert.Equal((4, 12, 9, 4 * 3 + 8, 8), (tokens.Prompt, tokens.Ids.Length, tokens.Longest, tokens.Length, tokens.TrainedCount));
        Assert.Equal(Enumerable.Range(0, 12).Select(t => t >= 4), tokens.Trained);
    }

    [Fact]
    public void A_conversation_goes_through_the_template_once_an_answer()
    {
        static Message User(string text) => new("user", text);
        static Message Assistant(string text) => new("assistant", text);
        var chats = new Example.JudgedChats([User("u")], [[Assistant("a")], [Assistant("b"), User("x"), Assistant("c")]]);
        var tokens = Render(chats, Codecs.Characters);
        Assert.Equal("‹user\nu›\n‹assistant\n|a›\n|b›\n‹user\nx›\n‹assistant\nc›\n", Codecs.Show(tokens));
        Assert.Equal(2, tokens.Ending);   // END and the line break behind it
    }

    /// <summary>With ids for "ab" and "bc" the prompt "a" and "xb" lose their last letter to "ab" and to "bc".</summary>
    [Fact]
    public void A_token_that_reaches_over_the_boundary_belongs_to_all_answers()
    {
        int[] Merged(string text) => [.. Codecs.Ids(text.Replace("ab", "α").Replace("bc", "β"))];
        var codec = Codecs.Characters with { Encode = Merged };
        Assert.Equal("x|α‹/s›|ac‹/s›", Codecs.Show(Render(new Example.JudgedTexts("xa", ["b", "c"]), codec)));
        Assert.Equal("x|β‹/s›|bd‹/s›|b‹/s›", Codecs.Show(Render(new Example.JudgedTexts("xb", ["c", "d", ""]), codec)));
        Assert.Equal("xb|d‹/s›", Codecs.Show(Render(new Example.JudgedTexts("xb", ["d"], true), codec)));
    }

    [Fact]
    public void A_text_that_brings_its_BOS_has_one()
    {
        static IEnumerable<int> Ids(string text) => text.StartsWith('^') ? [Codecs.Bos, .. Codecs.Ids(text[1..])] : Codecs.Ids(text);
        var codec = Codecs.WithBos with { Encode = text => [Codecs.Bos, .. Ids(text)] };
        Assert.Equal("‹s›p|a‹/s›|b‹/s›", Codecs.Show(Render(new Example.JudgedTexts("^p", ["a", "b"]), codec)));
        var pair = Rendering.Render(new Example.PromptCompletion("^p", "a"), codec, MaskSettings.Default);
        Assert.Equal(("‹s›pa‹/s›", "..a‹/s›"), (Codecs.Show(pair.Ids), Codecs.ShowTrained(pair.Ids, pair.Trained)));
    }

    /// <summary>With a real tokenizer: each side is the whole text as it is encoded; what is shared is all that prompt and sides begin with.</summary>
    [Fact]
    public void Prompt_and_answer_are_the_ids_of_the_whole_text()
    {
        var tokenizer = HfTokenizer.Load(RealModels.Stories);
        var codec = Codec.Of(tokenizer);
        var text = Gen.OneOf(
            Gen.String[Gen.Char["abcdeilnot .,\n"], 0, 12], Gen.Const(" Once upon a time"), Gen.Const("é猫😀"), Gen.Const(" the"), Gen.Const("\n\n"));
        Gen.Select(text, text.Array[1, 4], Gen.Bool).Sample(
            (prompt, answers, alone) =>
            {
                var tokens = Render(new Example.JudgedTexts(prompt, answers, alone ? true : null), codec);
                var documents = JudgedDocuments.Of(tokens).ToList();
                var wholes = answers.Select(answer => (int[])[.. codec.Encode(prompt + answer), tokenizer.EosId!.Value]).ToList();
                Assert.Equal(wholes, documents.Select(document => document.Ids));
                Assert.All(documents, document => Assert.Equal(tokens.Ids[..tokens.Prompt], document.Ids[..tokens.Prompt]));
                Assert.All(documents, document => Assert.Equal(document.Ids.Select((_, t) => t >= tokens.Prompt), document.Trained));
                var first = codec.Encode(prompt);
                Assert.True(tokens.Prompt == first.Length
                    || wholes.Exists(whole => whole.Length == tokens.Prompt || whole[tokens.Prompt] != first[tokens.Prompt]));
                Assert.Equal((documents.Sum(d => d.Length), documents.Sum(d => d.TrainedCount)), (tokens.Length, tokens.TrainedCount));
            },
            iter: 300);
    }

    [Fact]
    public void Mismatched_pairs_change_answers_within_their_block()
    {
        Document Single(int i) => JudgedDocuments.Of(JudgedRendering.Split([100 + i, 0], [[100 + i, 0, 200 + i, 1]], true)).Single();
        var documents = Enumerable.Range(0, 7).Select(Single).ToList();
        Assert.Equal(
            [[100, 0, 202, 1], [101, 0, 200, 1], [102, 0, 201, 1], [103, 0, 205, 1], [104, 0, 203, 1], [105, 0, 204, 1], [106, 0, 206, 1]],
            JudgedDocuments.Mismatched(documents, 3).Select(document => document.Ids));
        Assert.All(JudgedDocuments.Mismatched(documents, 3, limit: 3), document => Assert.Equal([false, false, true], document.Trained));
        Assert.Throws<ArgumentException>(() => JudgedDocuments.Mismatched([new Document([1], [true])], 1).ToList());
    }
}
