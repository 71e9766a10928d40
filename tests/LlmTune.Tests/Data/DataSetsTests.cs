using LlmTune.Config;
using LlmTune.Data;
using Serilog.Core;

namespace LlmTune.Tests.Data;

/// <summary>Real data sets, each with the format that is found and what is kept of it.</summary>
public class DataSetsTests
{
    /// <summary>
    /// Set, format, rows, tokens, trained tokens, duplicates. The numbers were worked out apart from this program, by Python's json over the files:
    /// a token is a UTF-16 unit; a text has one more, its end; a message has five marks and line feeds around role and content, of which
    /// <see cref="Codecs"/> trains on the content and one. Of text the first token is never trained on.
    /// </summary>
    public static TheoryData<string, string, int, long?, long?, int> Found => new()
    {
        { "sft/alpaca_en_demo.json", "alpaca", 999, 808_018, 702_339, 14 },
        { "sft/alpaca_zh_demo.json", "alpaca", 1000, 238_274, 196_248, 8 },
        { "sft/identity.json", "alpaca", 91, 8_334, 5_516, 0 },
        { "sft/cnn_dailymail_tldr.jsonl", "prompt_completion", 200, 460_749, 51_410, 5 },
        { "sft/glaive_toolcall_en_demo.json", "sharegpt", 300, null, null, 35 },
        { "sft/v1_sft_demo.jsonl", "messages", 500, 356_202, 306_478, 1 },
        { "sft/torchtune/chat_tiny.json", "sharegpt", 1, null, null, 0 },
        { "sft/torchtune/instruct_tiny.json", "alpaca", 2, null, null, 0 },
        { "pretrain/c4_demo.jsonl", "text", 300, 737_465, 737_165, 0 },
        { "pretrain/names.txt", "text", 1, 228_146, 228_145, 0 },
        { "pretrain/tinyshakespeare.txt", "text", 1, 1_115_395, 1_115_394, 0 },
        { "pretrain/tinystories_sample.txt", "text", 1, 3_787, 3_786, 0 },
        { "pretrain/wiki_demo.txt", "text", 1, 1_026_461, 1_026_460, 0 },
    };

    private static SourceReport Read(SourceConfig source)
    {
        var config = new DataConfig { Sources = [source], MaxLength = 1 << 22, OnError = OnError.Fail };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);
        return corpus.Report.Sources[0];
    }

    private static string PathOf(string file) => Material.Path(file.Split('/'));

    [Theory]
    [MemberData(nameof(Found))]
    public void The_format_is_found_and_every_row_is_kept(string file, string format, int rows, long? tokens, long? trained, int duplicates)
    {
        var report = Read(new SourceConfig { Path = PathOf(file) });
        Assert.Equal((format, rows, rows), (report.Format, report.Rows, report.Documents + report.NothingToTrain.Count));
        Assert.Equal(0, report.Malformed.Count + report.TooLong.Count);
        Assert.InRange(report.Trained, 1, report.Tokens);
        Assert.Equal((tokens ?? report.Tokens, trained ?? report.Trained, duplicates), (report.Tokens, report.Trained, report.Duplicates));
    }

    public static TheoryData<string, string, int, string?, long> Mapped => new()
    {
        { "sft/belle_zh_seed_tasks.jsonl", "input=instances.0.input;output=instances.0.output", 175, null, 31_632 },
        { "sft/nl2sql_spider_dev.jsonl", "completion=query", 610, "{schema}\n\n{question}", 423_487 },
        { "sft/nl2sql_spider_dev.jsonl", "question=question;answer=query", 610, null, 121_018 },
        { "pretrain/poetry/lunyu.json", "text=paragraphs", 20, null, 21_992 },
        { "pretrain/poetry/shuimotangshi.json", "text=paragraphs", 176, null, 7_333 },
        { "pretrain/poetry/songci300.json", "", 280, "{rhythmic}\n{author}\n{paragraphs}", 34_013 },
        { "pretrain/poetry/tang300.json", "", 366, "{title}\n{author}\n{paragraphs}", 30_799 },
        { "cls/detox_test_18.tsv", "completion=Sentiment", 18, "Is this toxic?\n{SentimentText}\n\n", 2_996 },
    };

    /// <summary>
    /// One of its 250 lines opens a quote and closes none, so the record goes on to a quote four lines below: Python's csv module finds 246
    /// records, too, but takes that one as it comes.
    /// </summary>
    [Fact]
    public void A_damaged_row_is_counted_and_shown()
    {
        var source = new SourceConfig
        {
            Path = PathOf("cls/detox_250.tsv"),
            Columns = new ValueDictionary([KeyValuePair.Create("completion", "Sentiment")]),
            PromptTemplate = "Is this toxic?\n{SentimentText}\n\n",
        };
        var config = new DataConfig { Sources = [source], MaxLength = 1 << 22, OnError = OnError.Skip };
        using var corpus = Corpus.Build(config, new CorpusSettings { Codec = Codecs.Characters }, Logger.None, TestContext.Current.CancellationToken);
        var report = corpus.Report.Sources[0];
        Assert.Equal((246, 245), (report.Rows, report.Documents));
        Assert.Equal(
            [$"{source.Path}:83: opens a quote on line 83 and has text behind the one that closes it on line 87; a quote within a quoted field is doubled"],
            report.Malformed.First);
    }

    [Theory]
    [MemberData(nameof(Mapped))]
    public void Other_columns_are_mapped(string file, string columns, int rows, string? template, long tokens)
    {
        var report = Read(new SourceConfig
        {
            Path = PathOf(file),
            Columns = columns.Length == 0 ? null : new ValueDictionary(columns.Split(';').Select(c => c.Split('=')).Select(c => KeyValuePair.Create(c[0], c[1]))),
            PromptTemplate = template,
            Format = columns.Length == 0 ? "text" : null,
        });
        Assert.Equal((rows, rows, tokens), (report.Rows, report.Documents, report.Tokens));
    }

    [Fact]
    public void A_line_of_names_is_a_document_where_the_format_says_so()
    {
        var report = Read(new SourceConfig { Path = PathOf("pretrain/names.txt"), Format = "lines" });
        // 228,145 bytes with a line end between the 32,033 names; each name gets EOS in its place, the last one too.
        Assert.Equal((32_033, 228_145 + 1), (report.Documents, report.Tokens));
    }

    [Theory]
    [InlineData("alpaca_en_demo", "alpaca", 999)]
    [InlineData("identity", "alpaca", 91)]
    [InlineData("glaive_toolcall_en_demo", "sharegpt", 300)]
    public void Entries_of_dataset_info_are_read(string name, string format, int rows)
    {
        var report = Read(new SourceConfig { Name = name, Dir = PathOf("sft") });
        Assert.Equal((name, format, rows, rows), (report.Label, report.Format, report.Rows, report.Documents));
    }
}
