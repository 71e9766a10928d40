using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;

namespace LlmTune.Data.Sources;

/// <summary>Arrow's IPC files and streams (which Hugging Face's datasets also names .arrow), a batch at a time.</summary>
internal static class ArrowRows
{
    public static IEnumerable<Row> Read(Stream stream, string file)
    {
        var peeked = new byte[6];
        var isFile = stream.ReadAtLeast(peeked, peeked.Length, throwOnEndOfStream: false) == peeked.Length && peeked.AsSpan().SequenceEqual("ARROW1"u8);
        stream.Position = 0;
        using var reader = Damage.Named("its Arrow header", () => Open(stream, isFile));
        if (Damage.Named("its Arrow schema", () => reader.Schema) is not { } schema) throw new InvalidDataException("it has no schema, so it is no Arrow file");
        using var json = new JsonBuilder();
        var number = 0L;
        while (Damage.Named("a batch", reader.ReadNextRecordBatch) is { } batch)
        {
            using (batch)
            {
                for (var i = 0; i < batch.Length; i++)
                    yield return new Row(json.Build(writer => WriteRow(writer, schema, batch, i)), file, ++number) { ByLine = false };
            }
        }
    }

    private static ArrowStreamReader Open(Stream stream, bool isFile)
    {
        var codecs = new CompressionCodecFactory();
        return isFile ? new ArrowFileReader(stream, codecs) : new ArrowStreamReader(stream, codecs);
    }

    private static void WriteRow(Utf8JsonWriter writer, Schema schema, RecordBatch batch, int row)
    {
        writer.WriteStartObject();
        for (var c = 0; c < batch.ColumnCount; c++)
        {
            writer.WritePropertyName(schema.GetFieldByIndex(c).Name);
            Write(writer, batch.Column(c), row);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, IArrowArray array, int i)
    {
        if (array.IsNull(i))
        {
            writer.WriteNullValue();
            return;
        }
        switch (array)
        {
            case StringArray texts:
                writer.WriteStringValue(texts.GetString(i));
                break;
            case LargeStringArray texts:
                writer.WriteStringValue(texts.GetString(i));
                break;
            case StringViewArray texts:
                writer.WriteStringValue(texts.GetString(i));
                break;
            case BooleanArray truths:
                writer.WriteBooleanValue(truths.GetValue(i)!.Value);
                break;
            case ListArray list:
                WriteList(writer, list.Values, list.ValueOffsets[i], list.ValueOffsets[i + 1]);
                break;
            case LargeListArray list:
                WriteList(writer, list.Values, checked((int)list.ValueOffsets[i]), checked((int)list.ValueOffsets[i + 1]));
                break;
            case StructArray fields:
                var type = (StructType)fields.Data.DataType;
                writer.WriteStartObject();
                for (var f = 0; f < fields.Fields.Count; f++)
                {
                    writer.WritePropertyName(type.Fields[f].Name);
                    Write(writer, fields.Fields[f], i);
                }
                writer.WriteEndObject();
                break;
            case DictionaryArray coded:
                Write(writer, coded.Dictionary, checked((int)Integer(coded.Indices, i)));
                break;
            case BinaryArray bytes:
                JsonBuilder.WriteBytes(writer, bytes.GetBytes(i).Length);
                break;
            default:
                WriteNumber(writer, array, i);
                break;
        }
    }

    private static void WriteList(Utf8JsonWriter writer, IArrowArray values, int from, int end)
    {
        writer.WriteStartArray();
        for (var i = from; i < end; i++) Write(writer, values, i);
        writer.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter writer, IArrowArray array, int i)
    {
        switch (array)
        {
            case HalfFloatArray numbers:
                JsonBuilder.Write(writer, (double)numbers.GetValue(i)!.Value);
                break;
            case FloatArray numbers:
                JsonBuilder.Write(writer, numbers.GetValue(i)!.Value);
                break;
            case DoubleArray numbers:
                JsonBuilder.Write(writer, numbers.GetValue(i)!.Value);
                break;
            case UInt64Array numbers:
                writer.WriteNumberValue(numbers.GetValue(i)!.Value);
                break;
            case TimestampArray times:
                writer.WriteStringValue(times.GetTimestamp(i)!.Value);
                break;
            default:
                writer.WriteNumberValue(Integer(array, i));
                break;
        }
    }

    private static long Integer(IArrowArray array, int i) => array switch
    {
        Int8Array numbers => numbers.GetValue(i)!.Value,
        Int16Array numbers => numbers.GetValue(i)!.Value,
        Int32Array numbers => numbers.GetValue(i)!.Value,
        Int64Array numbers => numbers.GetValue(i)!.Value,
        UInt8Array numbers => numbers.GetValue(i)!.Value,
        UInt16Array numbers => numbers.GetValue(i)!.Value,
        UInt32Array numbers => numbers.GetValue(i)!.Value,
        _ => throw new InvalidDataException($"a column is of type {array.Data.DataType.Name}, which no row is made of"),
    };
}
