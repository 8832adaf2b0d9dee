//! tmp
use std::time::Instant;
fn main(){
 let mut r=random::Rng::new(1,random::Stream::Init);
 let mut v=vec![0f32;20_000_000];
 let t=Instant::now(); r.fill_normal(&mut v,0.0,0.02); println!("fill_normal {:?}/20M",t.elapsed());
 let t=Instant::now(); for x in v.iter_mut(){*x=r.normal();} println!("normal {:?}/20M",t.elapsed());
 let t=Instant::now(); for x in v.iter_mut(){*x=r.f32();} println!("f32 {:?}/20M",t.elapsed());
 let text: String=(0..20_000_000).map(|_| char::from(b' '+r.below(90) as u8)).collect();
 let t=Instant::now(); let tk=data::CharTokenizer::from_text(&text).unwrap(); println!("from_text {:?}/20M",t.elapsed());
 let t=Instant::now(); let ids=tk.encode(&text).unwrap(); println!("encode {:?}/20M",t.elapsed());
 let t=Instant::now(); let s=tk.decode(&ids).unwrap(); println!("decode {:?}/20M {}",t.elapsed(),s==text);
 let mut s=data::WindowSampler::new(ids.len(),256,64,data::SamplingMode::Epoch,r).unwrap();
 let t=Instant::now(); for _ in 0..1000 {std::hint::black_box(s.next_batch(&ids));} println!("next_batch 64x256 {:?}/1000",t.elapsed());
}
